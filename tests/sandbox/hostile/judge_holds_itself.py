# status: output_exceeded, failed, runtime_error
# tests: sorted
def solve(numbers):
    numbers.append(numbers)
    return numbers
