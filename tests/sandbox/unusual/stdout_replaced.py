# kind: stdin
import io
import sys

out = io.StringIO()
sys.stdout, before = out, sys.stdout
print(int(input()) + 1)
sys.stdout = before
print(out.getvalue(), end="")
