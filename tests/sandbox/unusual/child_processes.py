# kind: stdin
# limit: 20
import os

reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, b"1")
    os._exit(7)
_, status = os.waitpid(child, 0)
print(int(input()) + int(os.read(reading, 1)) * (os.waitstatus_to_exitcode(status) == 7))
