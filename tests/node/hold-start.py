# SPDX-License-Identifier: LGPL-2.1-or-later
"""Carries connections from 127.0.0.1:PORT to 127.0.0.1:TO. What begins a backup is held for as long as FOLDER/hold is there; FOLDER/held says
that something is. When FOLDER/drop comes meanwhile, its sender is cut off, and it arrives all the same."""
import asyncio
import pathlib
import re
import sys

PORT, TO, FOLDER = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])


async def rest(reader, data):
    """What is missing of the request that data begins: none of it may be with somebody who is cut off."""
    more = b""
    while b"\r\n\r\n" not in data + more:
        more += await reader.readexactly(1)
    head, _, body = (data + more).partition(b"\r\n\r\n")
    size = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
    return more + await reader.readexactly(max(0, size - len(body)))


async def hold(sender):
    (FOLDER / "held").touch()
    while (FOLDER / "hold").exists():
        if (FOLDER / "drop").exists():
            sender.close()
        await asyncio.sleep(0.02)
    (FOLDER / "held").unlink(missing_ok=True)


async def carry(reader, writer, sender=None):
    try:
        while data := await reader.read(65536):
            if sender and b"POST /api/v1/backup/start" in data:
                data += await rest(reader, data)
                await hold(sender)
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # one side has reset it
    if not sender:
        writer.close()


async def connection(reader, writer):
    back_reader, back_writer = await asyncio.open_connection("127.0.0.1", TO)
    back = asyncio.create_task(carry(back_reader, writer))
    await carry(reader, back_writer, writer)
    await asyncio.sleep(1)  # what was cut off gets its answer, too
    back_writer.close()
    await back


async def main():
    server = await asyncio.start_server(connection, "127.0.0.1", PORT)
    await server.serve_forever()


asyncio.run(main())
