# kind: stdin
# crlf
n = int(input())
if n:
    print(n + 1)
