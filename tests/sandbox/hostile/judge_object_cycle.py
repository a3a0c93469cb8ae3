# status: output_exceeded, failed, runtime_error
class Node:
    pass
def solve(x):
    a = Node(); a.next = a
    return a
