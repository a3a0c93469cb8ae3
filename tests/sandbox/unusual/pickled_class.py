import copy
import pickle


class Node:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return self.value == other.value


def solve(x):
    node = pickle.loads(pickle.dumps(Node(x)))
    return copy.deepcopy(node).value + 1
