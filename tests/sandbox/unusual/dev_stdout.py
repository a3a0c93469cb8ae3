# kind: stdin
n = int(input())
with open("/dev/stdout", "w") as f:
    f.write(str(n+1))
