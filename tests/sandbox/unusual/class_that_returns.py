class M(type):
    def __call__(cls, x):
        return x + 1
class solve(metaclass=M):
    pass
