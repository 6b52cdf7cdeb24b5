# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serves on 127.0.0.1:PORT and sends zeroes to each client for as long as it takes them."""
import asyncio
import sys


async def flood(reader, writer):
    try:
        while True:
            writer.write(bytes(65536))
            await writer.drain()
    except ConnectionError:
        pass  # the other side is gone


async def main(port):
    server = await asyncio.start_server(flood, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
