# kind: stdin
import sys

for line in sys.stdin:
    sys.stdout.write(str(int(line) + 1))
