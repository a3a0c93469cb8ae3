# kind: stdin
import signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
print(int(input()) + 1)
