# kind: stdin
import atexit
@atexit.register
def last():
    raise ValueError("ignored")
print(int(input()) + 1)
