# kind: stdin
import mmap
m = mmap.mmap(0, 0, access=mmap.ACCESS_READ)
print(int(m.readline()) + 1)
