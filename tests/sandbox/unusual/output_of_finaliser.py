# kind: stdin
class Answer:
    def __init__(self, n):
        self.n = n
    def __del__(self):
        print(self.n + 1)
answer = Answer(int(input()))
