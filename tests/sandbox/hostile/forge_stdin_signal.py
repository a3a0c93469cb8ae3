# status: runtime_error
# kind: stdin
# The right answer, and then a death that is no exit code.
import os
import signal

os.write(1, str(int(input()) + 1).encode())
os.kill(os.getpid(), signal.SIGTERM)
