# status: failed, runtime_error, memory_exceeded, output_exceeded, timeout
# limit: 3
import fcntl
import os


def solve(x):
    for _ in range(5):
        os.fork()
    held = []
    while True:
        try:
            reading, writing = os.pipe()
            fcntl.fcntl(writing, 1031, 1 << 20)
            os.set_blocking(writing, False)
            held.append((reading, writing))
            while os.write(writing, bytes(1 << 16)):
                pass
        except OSError:
            pass
