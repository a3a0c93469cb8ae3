# assert: list(solve(3)) == [0, 1, 2]
class Numbers:
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        return iter(range(self.n))
def solve(x):
    return Numbers(x)
