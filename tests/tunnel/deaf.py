# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opens N connections to 127.0.0.1:PORT at once and reads from none of them. What the kernel holds for each is small."""
import signal
import socket
import sys

port, n = map(int, sys.argv[1:])
clients = []
for _ in range(n):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    client.connect(("127.0.0.1", port))
    clients.append(client)
signal.pause()
