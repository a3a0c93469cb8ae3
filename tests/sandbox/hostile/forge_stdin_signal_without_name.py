# status: runtime_error
# kind: stdin
# The right answer, and then a signal that Python has no name for.
import os

os.write(1, str(int(input()) + 1).encode())
os.kill(os.getpid(), 40)
