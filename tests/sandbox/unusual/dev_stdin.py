# kind: stdin
print(int(open("/dev/stdin").read()) + 1)
