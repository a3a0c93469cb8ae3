# kind: stdin
# bom
print(int(input()) + 1)
