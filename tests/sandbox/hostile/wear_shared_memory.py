# status: failed, runtime_error, output_exceeded, memory_exceeded
# limit: 5
def solve(x):
    for number in range(10000):
        with open(f"/dev/shm/{number}", "wb") as file:
            file.write(bytes(1 << 20))
    return None
