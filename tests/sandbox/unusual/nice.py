import os


def solve(x):
    before = os.getpriority(os.PRIO_PROCESS, 0)
    lower = os.nice(3)
    os.setpriority(os.PRIO_PROCESS, 0, lower)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    return x + 1 if os.getpriority(os.PRIO_PROCESS, 0) == min(before + 3, 19) else None
