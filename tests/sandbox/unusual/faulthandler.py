# kind: stdin
import faulthandler, tracemalloc
faulthandler.enable()
tracemalloc.start()
print(int(input()) + 1)
