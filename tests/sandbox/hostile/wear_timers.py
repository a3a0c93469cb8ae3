# status: timeout, runtime_error, failed
# limit: 2
# Alarms, timers and signals as fast as they come, each handled by Python.
import signal


def solve(x):
    for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF):
        signal.signal(number, lambda *given: None)
    for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(which, 1e-6, 1e-6)
    while True:
        pass
