# status: failed
# kind: stdin
import sys

sys.stdout.write("\n" * 30_000_000)
