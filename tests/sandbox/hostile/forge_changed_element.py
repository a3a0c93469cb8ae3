# status: failed
# setup: numbers = [1, 2, 3]
# assert: solve(numbers) == numbers[0]
def solve(numbers):
    numbers[0] = 7
    return 7
