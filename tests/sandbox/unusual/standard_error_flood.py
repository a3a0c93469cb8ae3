# kind: stdin
import sys
for i in range(30000):
    print("debug", i, file=sys.stderr)
print(int(input()) + 1)
