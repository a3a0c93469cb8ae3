# kind: stdin
# output: 4 é 世界 🙂
print(int(input()) + 1, "é", "世界", "🙂")
