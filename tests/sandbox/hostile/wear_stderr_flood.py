# status: timeout
# limit: 1
# kind: stdin
import sys

while True:
    sys.stderr.write("x" * 65536)
