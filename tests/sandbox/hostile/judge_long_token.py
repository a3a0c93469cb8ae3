# status: failed
# kind: stdin
# output: 0.5
# One token on which a careless pattern works for hours.
import sys

sys.stdout.write("1" * 20_000_000 + "x")
