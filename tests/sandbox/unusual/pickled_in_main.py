# kind: stdin
import pickle
class P:
    def __init__(self, x): self.x = x
print(pickle.loads(pickle.dumps(P(int(input())))).x + 1)
