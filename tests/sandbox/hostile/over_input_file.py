# status: failed, runtime_error
# kind: stdin
# Writes into the file that its input is (fstat), makes it grow, and prints what would then be right.
import os

try:
    os.write(os.open("/proc/self/fd/0", os.O_RDWR), b"9")
    print(4)
except OSError:
    pass
try:
    os.ftruncate(0, 1 << 40)
    print(4)
except OSError:
    pass
