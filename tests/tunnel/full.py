# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listens on 127.0.0.1:PORT with a queue that is full, so that a connection to it hangs; from SIGUSR1 on takes everybody in and
waits for his end."""
import signal
import socket
import sys

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
place = ("127.0.0.1", int(sys.argv[1]))
server = socket.create_server(place, backlog=0)
fill = [socket.socket() for _ in range(4)]
for one in fill:
    one.setblocking(False)
    one.connect_ex(place)
signal.sigwait({signal.SIGUSR1})
for one in fill:
    one.close()
while True:
    client, _ = server.accept()
    with client:
        client.recv(1)
