# kind: stdin
import sys
import threading


def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


def main():
    print(int(input()) + 1 + depth(50000) - 50000)


sys.setrecursionlimit(200000)
threading.stack_size(1 << 28)
thread = threading.Thread(target=main)
thread.start()
thread.join()
