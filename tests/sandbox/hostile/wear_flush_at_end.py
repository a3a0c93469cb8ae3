# status: failed, runtime_error, timeout, output_exceeded
# kind: stdin
# limit: 2
import io
class Raw(io.RawIOBase):
    def writable(self): return True
    def write(self, b):
        while True: pass
x = io.BufferedWriter(Raw())
x.write(b"open")
print(4)
