# status: output_exceeded, timeout, memory_exceeded, runtime_error, failed
# kind: call
class Numbers:
    def __iter__(self):
        n = 0
        while True:
            yield n
            n += 1
def solve(x):
    return Numbers()
