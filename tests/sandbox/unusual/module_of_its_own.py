# kind: stdin
with open("helper_own.py", "w") as f:
    f.write("def f(x): return x + 1")
import helper_own
print(helper_own.f(int(input())))
