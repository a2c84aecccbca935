#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A WebSocket through the tunnel, with a client and a server that others
wrote: 10,000 messages, and one of 16 MiB."""

import asyncio
import threading

import lt

try:
    import websockets
except ImportError:
    lt.skip("python3-websockets is not installed")

started = threading.Event()
port = None


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def serve():
    global port
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None,
                                compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        started.set()
        await asyncio.Future()


async def talk(server):
    url = f"ws://demo.localhost:{server.port}/"
    async with websockets.connect(url, host="127.0.0.1", port=server.port,
                                  max_size=None, compression=None) as socket:
        for i in range(10_000):
            await socket.send(f"message {i}")
            assert await socket.recv() == f"message {i}"
        big = lt.stream(16 << 20)
        await socket.send(big)
        assert lt.sha256(await socket.recv()) == lt.sha256(big)

threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
started.wait(lt.PATIENCE)
server = lt.Server()
client = lt.Client(server, port, name="demo")
asyncio.run(talk(server))
