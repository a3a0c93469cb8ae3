# kind: stdin
import sys, io, os
sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8")
sys.stdin = io.BytesIO(os.read(0, os.fstat(0).st_size or 65536))
print(int(sys.stdin.readline()) + 1)
