"""A TCP proxy on loopback that can slow connections down or cut them."""

import asyncio
import threading
from contextlib import suppress

BLOCK = 64 * 2**10
SLOW_S = 0.2
"""Pause before every block while the proxy is slow."""


class Proxy:
    """Forwards to a port of this machine from a port of its own, in a thread.

    Args:
        target: The port to forward to.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._slow = False
        self._refusing = False
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def slow(self, on: bool) -> None:
        self._slow = on

    def cut(self) -> None:
        """Breaks every connection and refuses new ones until `mend`."""
        self._refusing = True
        self._loop.call_soon_threadsafe(self._break)

    def mend(self) -> None:
        self._refusing = False

    def close(self) -> None:
        """Breaks every connection and ends."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._refusing = True
        self._server.close()
        self._break()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def _break(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._open -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while block := await reader.read(BLOCK):
                if self._slow:
                    await asyncio.sleep(SLOW_S)
                writer.write(block)
                await writer.drain()
        writer.transport.abort()
