# kind: stdin
# 4
print(len(open(__file__).read()) > 10 and int(input()) + 1)
