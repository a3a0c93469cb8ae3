# status: failed, runtime_error
# A pair of datagram sockets may send to any other local socket, such as that of the system's log.
import socket


def solve(x):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC):
        try:
            one, _ = socket.socketpair(socket.AF_UNIX, kind)
        except OSError:
            continue
        return x + 1
    return None
