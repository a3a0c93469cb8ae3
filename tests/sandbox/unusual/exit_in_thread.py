# kind: stdin
import threading, sys
def main():
    print(int(input()) + 1)
    sys.exit(0)
threading.Thread(target=main).start()
