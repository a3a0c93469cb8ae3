# status: runtime_error
# kind: stdin
print(int(input()) + 1)
raise SystemExit(1)
