"""A collector that costs little: it says yes to each request, after a while if told so.

    python -m benchmarks.fast_collector LATENCY

prints its port, and serves on 127.0.0.1 until its standard input ends.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BODY = b'{"status":1,"tracked":1000000,"invalid":0}'  # Matomo counts, PostHog says 1
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class Conversation(asyncio.Protocol):
    """One connection: requests are told apart by Content-Length."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.data = b""
        self.needed = 0  # bytes until the present request is whole

    def connection_made(self, transport):
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data):
        self.data = self.data + data if self.data else data
        while self.data and len(self.data) >= self.needed:
            if not self.needed:
                end = self.data.find(b"\r\n\r\n")
                if end < 0:
                    return
                self.needed = end + 4 + _length(self.data[:end])
                continue
            self.data = self.data[self.needed :]
            self.needed = 0
            if self.latency:
                self.loop.call_later(self.latency, self.answer)
            else:
                self.answer()

    def answer(self):
        if not self.transport.is_closing():
            self.transport.write(ANSWER)


def _length(head: bytes) -> int:
    at = head.find(b"ontent-")
    while at >= 0:
        name, _, rest = head[at:].partition(b":")
        if name.lower() == b"ontent-length":
            return int(rest.partition(b"\r\n")[0])
        at = head.find(b"ontent-", at + 1)
    return 0


async def serve(latency: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Conversation(latency), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def collecting(latency: float) -> Iterator[str]:
    """Run a collector in a process of its own; gives its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fast_collector", str(latency)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.communicate()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
