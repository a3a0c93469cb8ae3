# kind: stdin
import threading
import time


def late():
    time.sleep(0.05)
    print(number + 1)


number = int(input())
threading.Thread(target=late).start()
