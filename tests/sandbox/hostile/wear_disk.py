# status: failed, runtime_error, output_exceeded
# limit: 5
def solve(x):
    for number in range(10000):
        with open(f"fill{number}", "wb") as file:
            file.write(bytes(1 << 20))
    return None
