# kind: mutate
def solve(numbers):
    numbers.sort()
    numbers.append([0])
