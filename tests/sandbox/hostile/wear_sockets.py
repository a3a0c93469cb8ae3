# status: failed, runtime_error, memory_exceeded, output_exceeded, timeout
# limit: 3
# Bytes that wait in sockets and pipes belong to no process.
import os
import socket


def fill():
    held = []
    try:
        while True:
            pair = socket.socketpair()
            held.append(pair)
            for end in pair:
                try:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
                except OSError:
                    pass
                end.setblocking(False)
                try:
                    while True:
                        end.send(bytes(1 << 16))
                except BlockingIOError:
                    pass
    except OSError:
        pass
    while True:
        pass


def solve(x):
    for _ in range(60):
        if os.fork() == 0:
            fill()
    fill()
