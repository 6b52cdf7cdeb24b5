# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serves on 127.0.0.1:PORT and gives every byte back; what one side ends, the other hears. socat's EXEC:cat does the same, but on a
busy machine it now and then ends with the last bytes in its hand."""
import asyncio
import sys


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the other side has reset it
    writer.close()


async def main(port):
    server = await asyncio.start_server(echo, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
