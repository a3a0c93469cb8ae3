# kind: stdin
import sys
print(int(input()) + 1)
sys.stdout.close()
