"""Carries connections between two name spaces of networks, through a socket in a directory that both see.

forward.py inside PORT SOCKET: what connects to the port here goes to the socket; it ends as soon as that is so, and goes on behind.
forward.py outside SOCKET PORT: what connects to the socket goes to the port here.
"""
import os
import socket
import sys
import threading


def carry(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def serve(listener, connect):
    listener.listen(64)
    while True:
        here, _ = listener.accept()
        there = connect()
        for pair in ((here, there), (there, here)):
            threading.Thread(target=carry, args=pair, daemon=True).start()


def by_port(port):
    return socket.create_connection(("127.0.0.1", port))


def by_path(path):
    there = socket.socket(socket.AF_UNIX)
    there.connect(path)
    return there


def main():
    if sys.argv[1] == "inside":
        listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
        if os.fork():
            os._exit(0)
        serve(listener, lambda: by_path(sys.argv[3]))
    else:
        listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(sys.argv[2]):
            os.unlink(sys.argv[2])
        listener.bind(sys.argv[2])
        serve(listener, lambda: by_port(int(sys.argv[3])))


main()
