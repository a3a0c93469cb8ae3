# status: failed
# kind: stdin
# Sixteen million tokens: 1 GB for whoever splits it into a list.
import sys

sys.stdout.write("4 " * 16_000_000)
