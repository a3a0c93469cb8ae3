# assert: solve("push", 2) is None
# assert: solve("push", 1) is None and solve("min") == 1
# assert: solve("pop") == 1 and solve("min") == 2
class MinStack:
    def __init__(self):
        self.stack = []

    def push(self, value):
        self.stack.append((value, min(value, self.stack[-1][1] if self.stack else value)))

    def pop(self):
        return self.stack.pop()[0]

    def min(self):
        return self.stack[-1][1]


stack = MinStack()


def solve(name, *values):
    return getattr(stack, name)(*values)
