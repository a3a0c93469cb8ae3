# status: failed
# kind: stdin
for guess in range(100):
    print(guess)
