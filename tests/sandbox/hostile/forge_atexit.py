# status: failed
# kind: stdin
import atexit
import os

atexit.register(os._exit, 0)
print("wrong")
raise SystemExit(1)
