# status: failed, runtime_error, timeout, output_exceeded
# Two processes answer each question, over the same channel.
import os


def solve(x):
    return -x if os.fork() else None
