# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opens N connections to 127.0.0.1:PORT, for which the kernel holds up to SIZE bytes each, and reads from all of them by a timetable:
SECOND:BYTES, so many bytes of each so long after the beginning. Ends with it, or when one of them does."""
import socket
import sys
import time

port, n, size = map(int, sys.argv[1:4])
clients = []
for _ in range(n):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    client.connect(("127.0.0.1", port))
    clients.append(client)
begin = time.monotonic()
for entry in sys.argv[4:]:
    second, left = map(int, entry.split(":"))
    time.sleep(max(0, begin + second - time.monotonic()))
    for client in clients:
        got = 0
        while got < left:
            data = client.recv(min(65536, left - got))
            if not data:
                sys.exit("the end has come after %.0f s" % (time.monotonic() - begin))
            got += len(data)
