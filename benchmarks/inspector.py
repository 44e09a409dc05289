"""Is the inspector responsive? `python -m benchmarks.inspector rate|stored [--help]`.

`rate` sends single hits to an inspector at a steady pace, while a page listens and
somebody asks for the newest hits. `stored` fills a store, and times what a page asks.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

from server_tracking.inspector.database import HitDatabase
from server_tracking.inspector.protocols import Answer, Received, discovered_protocols
from server_tracking.inspector.queries import Query

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/141.0.0.0 Safari/537.36"
HEADERS = {"User-Agent": AGENT, "X-Forwarded-For": "203.0.113.7"}
RUN = "import sys; from server_tracking.cli import main; sys.exit(main(sys.argv[1:]))"


def body(number: int) -> bytes:
    page = {
        "name": "pageview",
        "domain": "example.com",
        "url": f"https://example.com/plants/{number % 5000}?utm_source=mail",
        "referrer": "https://search.example/",
    }
    return json.dumps(page).encode()


def batch(number: int, size: int) -> bytes:
    """Make a call of PostHog's with *size* page views."""
    address = "https://example.com/plants/"
    events = [
        {
            "event": "$pageview",
            "distinct_id": f"visitor-{one % 100}",
            "uuid": f"00000000-0000-4000-8000-{one:012}",
            "properties": {"$current_url": f"{address}{one}", "$raw_user_agent": AGENT},
        }
        for one in range(number * size, (number + 1) * size)
    ]
    return json.dumps({"api_key": "phc_bench", "batch": events}).encode()


def milliseconds(name: str, times: Sequence[float]) -> None:
    cuts = quantiles(times, n=100)
    print(
        f"{name:32} median {cuts[49] * 1000:7.1f} ms   99 % {cuts[98] * 1000:7.1f} ms"
        f"   worst {max(times) * 1000:7.1f} ms"
    )


class Load:
    """Send hits at a steady pace from a few connections."""

    def __init__(
        self, port: int, rate: int, seconds: float, bundle: int, connections: int = 4
    ):
        self.times: list[float] = []
        self._port, self._pace = port, connections * bundle / rate
        self._bundle = bundle
        self._end = time.monotonic() + seconds
        self.threads = [
            threading.Thread(target=self._send, args=(n,)) for n in range(connections)
        ]

    def _send(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        due = time.monotonic()
        while (now := time.monotonic()) < self._end:
            if now < due:
                time.sleep(due - now)
            due += self._pace
            begun = time.monotonic()
            if self._bundle == 1:
                connection.request("POST", "/api/event", body(number), HEADERS)
            else:
                content = batch(number, self._bundle)
                connection.request("POST", "/batch/", content, HEADERS)
            connection.getresponse().read()
            self.times.append(time.monotonic() - begun)
            number += 1
        connection.close()


def asked(port: int, path: str, times: list[float], end: threading.Event) -> None:
    while not end.wait(1.0):
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()
        times.append(time.monotonic() - begun)


def listen(port: int, lags: list[float], end: threading.Event) -> None:
    """Listen as a page does; notes how late each hit is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/stream")
    lines = connection.getresponse()
    while not end.is_set():
        line = lines.readline()
        if line.startswith(b"data: {"):
            arrived = json.loads(line[6:])["arrived"]
            lags.append(time.time() - arrived)
    connection.close()


def rate(hits: int, seconds: float, bundle: int, store: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        options = ["--store", f"{directory}/hits.sqlite"] if store else []
        process = subprocess.Popen(
            [sys.executable, "-uc", RUN, "inspect", "--port=0", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        port = int(process.stdout.readline().split("/  ")[0].rpartition(":")[2])
        feed, lags, end = [], [], threading.Event()
        listener = threading.Thread(target=listen, args=(port, lags, end), daemon=True)
        load = Load(port, hits, seconds, bundle)
        reader = threading.Thread(
            target=asked, args=(port, "/hits.json?limit=200", feed, end)
        )
        begun = time.monotonic()
        for thread in (listener, reader, *load.threads):
            thread.start()
        for thread in load.threads:
            thread.join()
        took = time.monotonic() - begun
        time.sleep(1)
        end.set()
        reader.join()
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()
        process.wait(10)
    memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    sent = bundle * len(load.times)
    print(f"{sent / took:.0f} hits/s for {took:.0f} s; memory {memory:.0f} MB")
    print(f"{len(lags)} of {sent} hits told to the page")
    milliseconds("answer to a call", load.times)
    milliseconds("lag of the page", lags)
    milliseconds("newest 200 hits as JSON", feed)


def stored(number: int) -> None:
    protocol = discovered_protocols()["/api/event"]
    headers = {name.lower(): value for name, value in HEADERS.items()}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "hits.sqlite")
        database = HitDatabase(path)
        received = [
            Received("POST", "/api/event", "", headers, body(one), time=time.time())
            for one in range(5000)
        ]
        decoded = [hit for one in received for hit in protocol.decode(one)]
        begun = time.monotonic()
        for first in range(0, number, 25):
            some = decoded[first % 5000 : first % 5000 + 25]
            database.add(received[first % 5000], some, Answer(202))
        took = time.monotonic() - begun
        print(
            f"{number} hits in {took:.0f} s, {number / took:.0f} hits/s, 25 in a call"
        )
        print(f"file {path.stat().st_size / 1e6:.0f} MB")
        for name, query in {
            "newest 200": Query(),
            "200 older, in the middle": Query(before=number // 2),
            "path, seldom": Query(path="/plants/4321"),
            "system and kind": Query(system="plausible", kind="pageview"),
            "problems only, none": Query(state="problems"),
            "words, found nowhere": Query(words="nowhere to be found"),
        }.items():
            begun = time.monotonic()
            found = len(database.find(query, 200))
            print(
                f"{name:32}{(time.monotonic() - begun) * 1000:9.1f} ms  {found} found"
            )
        begun = time.monotonic()
        database.hits(after=number - 10_000)
        print(
            f"{'10,000 hits of a new page':32}{(time.monotonic() - begun) * 1000:9.1f} ms"
        )
        database.release()
        begun = time.monotonic()
        HitDatabase(path).release()
        print(f"{'open the file':32}{(time.monotonic() - begun) * 1000:9.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inspector")
    commands = parser.add_subparsers(dest="command", required=True)
    steady = commands.add_parser("rate", help="hits at a steady pace")
    steady.add_argument("--hits", type=int, default=1000, help="per second")
    steady.add_argument("--seconds", type=float, default=60)
    steady.add_argument("--bundle", type=int, default=1, help="hits in a call")
    steady.add_argument("--store", action="store_true", help="in SQLite, not in memory")
    filled = commands.add_parser("stored", help="many hits in SQLite")
    filled.add_argument("--number", type=int, default=1_000_000)
    chosen = parser.parse_args()
    if chosen.command == "rate":
        rate(chosen.hits, chosen.seconds, chosen.bundle, chosen.store)
    else:
        stored(chosen.number)


if __name__ == "__main__":
    main()
