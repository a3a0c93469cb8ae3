# kind: stdin
out = open(1, "w")
out.write(str(int(input()) + 1))
