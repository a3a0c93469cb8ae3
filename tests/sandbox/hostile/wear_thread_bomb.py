# status: runtime_error, memory_exceeded, failed
# limit: 2
import threading
import time


def solve(x):
    while True:
        threading.Thread(target=time.sleep, args=(100,)).start()
