# status: memory_exceeded, runtime_error, timeout
# limit: 10
import threading


def hoard(held):
    while True:
        held.append(bytearray(1 << 20))


def solve(x):
    for _ in range(4):
        threading.Thread(target=hoard, args=([],)).start()
    while True:
        pass
