# status: failed, output_exceeded, runtime_error
# Things in its box that a careless cleaner would follow, open, or stop at.
import os


def solve(x):
    os.mkfifo("fifo")
    os.symlink("..", "up")
    os.symlink("/", "root")
    os.symlink("loop", "loop")
    os.mkdir("folder")
    os.link("fifo", "folder/again")
    os.mkdir(b"\xff\xfe\n")
    open("x" * 255, "w").close()
    open("immutable", "w").close()
    os.chmod("immutable", 0)
    os.chmod("folder", 0)
    return None
