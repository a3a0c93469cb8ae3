# kind: stdin
# input: 100000
# output: numbers
n = int(input())
print("\n".join(str(i) for i in range(n)))
