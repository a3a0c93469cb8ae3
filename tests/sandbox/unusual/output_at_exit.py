# kind: stdin
import atexit

lines = []
atexit.register(lambda: print("\n".join(lines)))
lines.append(str(int(input()) + 1))
