"""A relay between the service and an honest origin that is as bad as a network can be.

    chaos = Chaos(origin.port, seed); url = origin.url(...).replace(f":{origin.port}/", f":{chaos.port}/")
    chaos.calm = True          # from now on it only relays
    chaos.did                  # Counter: what was done to how many connections

What happens to a connection is drawn once: nothing for up to a megabyte, answers in single bytes, pauses, a reset or an orderly end in the middle, or one
byte that is changed on its way (in a header or in the content), which only a digest can find. No connection lasts for all files, and the first six meet one
kind each: whoever counts what happened does not count on luck.
"""
import asyncio
import collections
import random
import socket
import struct

from loop_thread import LoopThread

KINDS = ("nothing", "crumbs", "pauses", "reset", "end", "corrupt")
WEIGHTS = (30, 15, 15, 15, 15, 10)
CHUNK = 16384
FIRST_BYTES = 4096  # those that come in crumbs


class Chaos(LoopThread):
    def __init__(self, port, seed):
        self.origin_port = port
        self.random = random.Random(seed)
        self.first = self.random.sample(KINDS, len(KINDS))
        self.calm = False
        self.did = collections.Counter()
        self.port = 0
        super().__init__()

    async def listen(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]

    def _drawn(self):
        return self.first.pop() if self.first else self.random.choices(KINDS, WEIGHTS)[0]

    async def _serve(self, reader, writer):
        kind = "nothing" if self.calm else self._drawn()
        self.did[kind] += 1
        up = None
        try:
            up_reader, up = await asyncio.open_connection("127.0.0.1", self.origin_port)
            there = asyncio.ensure_future(self._relay(reader, up))
            try:
                await getattr(self, "_" + kind)(up_reader, writer)
            finally:
                there.cancel()
        except (ConnectionError, OSError):
            pass
        finally:
            for w in (writer, up):
                if w:
                    w.close()

    @staticmethod
    async def _relay(reader, writer):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()

    async def _nothing(self, reader, writer):
        if self.calm:
            await self._relay(reader, writer)
        else:
            await self._some(reader, writer, 20)  # or all files would come over the connections that nothing happens to

    async def _crumbs(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in await reader.read(FIRST_BYTES):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await self._some(reader, writer)

    async def _pauses(self, reader, writer):
        await self._some(reader, writer, pause=0.05)

    async def _some(self, reader, writer, exponent_max=18, pause=0):
        """So much and no more, with pauses of up to `pause` seconds. What was held back is the caller's."""
        left = int(2 ** self.random.uniform(0, exponent_max))
        while left > 0 and (data := await reader.read(CHUNK)):
            await asyncio.sleep(self.random.random() * pause)
            writer.write(data[:left])
            await writer.drain()
            if len(data) > left:
                return data[left:]
            left -= len(data)
        return b""

    async def _reset(self, reader, writer):
        await self._some(reader, writer)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def _end(self, reader, writer):
        await self._some(reader, writer)

    async def _corrupt(self, reader, writer):
        data = bytearray(await self._some(reader, writer) or await reader.read(CHUNK))
        if data:
            data[0] ^= 1 << self.random.randrange(8)
        writer.write(bytes(data))
        await self._some(reader, writer)
