# kind: stdin
import sys
print(int(input()) + 1)
sys.stdout.flush()
sys.stdout = None
