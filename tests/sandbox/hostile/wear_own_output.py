# status: failed, runtime_error, timeout
# kind: stdin
# limit: 3
# Takes out of the pipe what it prints, before the one who waits for it.
import os
import threading
import time

try:
    os.fchmod(1, 0o666)
except OSError:
    pass
taken = os.open("/proc/self/fd/1", os.O_RDONLY)


def take():
    while True:
        os.read(taken, 1)


for _ in range(4):
    threading.Thread(target=take, daemon=True).start()
stop = time.monotonic() + 1
while time.monotonic() < stop:
    os.write(1, b"x")
os._exit(0)
