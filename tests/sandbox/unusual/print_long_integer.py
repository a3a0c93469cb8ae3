# kind: stdin
# output: long
print(10**5000 + int(input()))
