# status: timeout
# kind: stdin
# limit: 1
# The answer is there, but a thread holds the end back for ever.
import threading
import time

print(int(input()) + 1, flush=True)
threading.Thread(target=time.sleep, args=(1000,)).start()
