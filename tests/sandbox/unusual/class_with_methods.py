# setup: def look():
# setup:     stack = solve(3)
# setup:     stack.push(4)
# setup:     return stack.pop(), stack.pop()
# assert: look() == (4, 3)
# The tests make an object of a class, and call its methods.
class solve:
    def __init__(self, first):
        self._items = [first]

    def push(self, item):
        self._items.append(item)

    def pop(self):
        return self._items.pop()
