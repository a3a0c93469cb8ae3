# status: failed, runtime_error, timeout
# kind: stdin
# limit: 1
class A:
    def __del__(self):
        while True:
            pass
a = A()
print(4)
