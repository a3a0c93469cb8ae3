# status: failed
# kind: stdin
# output: 0.5
print("1e" + "9" * 1000)
