# status: failed, runtime_error, memory_exceeded, output_exceeded, timeout
# limit: 2
import os
import sys

BOMB = "import os,sys\nwhile True:\n  try:\n    if os.fork()==0: os.execv(sys.executable,[sys.executable,'-S','-c',sys.argv[1],sys.argv[1]])\n  except OSError: pass"


def solve(x):
    os.execv(sys.executable, [sys.executable, "-S", "-c", BOMB, BOMB])
