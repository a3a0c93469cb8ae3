# kind: stdin
import os
import sys

number = int(sys.stdin.buffer.read())
os.write(1, str(number + 1).encode())
