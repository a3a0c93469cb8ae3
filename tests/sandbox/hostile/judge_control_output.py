# status: failed
# kind: stdin
# Nothing that can be printed: a quoted copy is many times as long.
import sys

sys.stdout.buffer.write(b"\x00\xff\x1b[2J" * 5_000_000)
