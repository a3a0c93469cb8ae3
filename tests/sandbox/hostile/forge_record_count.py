# status: failed, runtime_error
# assert: solve('a').count('B') == 1
class Text:
    def count(self, part):
        return 1


def solve(x):
    return Text()
