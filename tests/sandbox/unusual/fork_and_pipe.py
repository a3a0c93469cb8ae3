# kind: stdin
import os, sys
n = int(input())
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(w, str(n + 1).encode())
    os._exit(0)
os.waitpid(pid, 0)
print(os.read(r, 10).decode())
