# kind: stdin
import sys

input = sys.stdin.readline
n = int(input())
print(n + 1)
