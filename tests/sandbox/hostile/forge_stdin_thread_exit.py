# status: runtime_error
# kind: stdin
import os
import threading

print(int(input()) + 1, flush=True)
thread = threading.Thread(target=os._exit, args=(3,))
thread.start()
thread.join()
