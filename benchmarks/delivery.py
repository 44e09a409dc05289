"""What delivery costs, and how much gets through: `python -m benchmarks.delivery`.

Every number comes from one run: the systems, senders and peers take turns, round by
round, against a collector in a process of its own on this machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import msgspec

from benchmarks.fast_collector import collecting
from benchmarks.peers import installed
from server_tracking.hits import PageView
from server_tracking.senders import Sender
from server_tracking.senders.inline import InlineSender
from server_tracking.senders.lanes import Rules
from server_tracking.senders.spool import SpoolSender
from server_tracking.senders.store import Store
from server_tracking.senders.thread import ThreadSender
from server_tracking.systems import (
    GoatCounter,
    GoogleAnalytics4,
    Matomo,
    Plausible,
    PostHog,
    System,
    Umami,
    UniversalAnalytics,
)
from server_tracking.testing import sample_context

LATENCIES = (0.0, 0.02, 0.1)  # seconds
LONGEST = 120.0  # seconds for one flush
SEVERAL_CALLS = Rules(concurrency=32)
WEBSITE = "0b7d5c2f-7d0c-4c6b-9d2f-0f8a6c1f2e11"


class Row(NamedTuple):
    """Hits per second, and microseconds of CPU for each, in all threads."""

    subject: str
    hits: int
    per_second: float
    microseconds: float


def systems_at(url: str) -> dict[str, System]:
    """Make every system, to be reached at *url*."""
    return {
        "goatcounter": GoatCounter(url, "token"),
        "google_analytics_4": GoogleAnalytics4(
            "G-XXXX", api_secret="secret", endpoint=url
        ),
        "matomo": Matomo(url, 1, token="0" * 32),
        "plausible": Plausible("example.com", url=url),
        "posthog": PostHog("phc_made_up", host=url),
        "umami": Umami(WEBSITE, url=url),
        "universal_analytics": UniversalAnalytics("UA-1-1", endpoint=url),
        "universal_analytics, batches": UniversalAnalytics(
            "UA-1-1", endpoint=url, batch=True
        ),
    }


def page_views(number: int) -> list[PageView]:
    """Make page views of as many visitors, as a busy site has them."""
    sample = sample_context()
    replace = msgspec.structs.replace
    return [
        PageView(
            context=replace(
                sample, visitor=replace(sample.visitor, client_id=f"{n}.1790000000")
            )
        )
        for n in range(number)
    ]


class Ours:
    """A sender of ours, bound to one system."""

    def __init__(self, sender: Sender, system: System, number: int) -> None:
        self.sender = sender
        self.sender.bind([system])
        self.hits = page_views(number)

    def send(self, number: int) -> None:
        self.sender.send(self.hits[number])

    def finish(self) -> None:
        assert self.sender.close(LONGEST)
        [counts] = self.sender.stats().values()
        assert counts.delivered == len(self.hits), counts


def thread_sender(hits: int, **options: Any) -> ThreadSender:
    return ThreadSender(max_hits=hits, max_bytes=hits * 4096, **options)


def subjects(url: str, latency: float, scale: float) -> Iterator[tuple[str, Any, int]]:
    """Name each subject; with it come its maker and how many hits it gets."""

    def ours(system: str, make: Callable[[int], Sender]) -> Callable[[int], Ours]:
        return lambda number: Ours(make(number), systems_at(url)[system], number)

    def fitting(calls: int, hits: int) -> int:
        """Say how many hits take some four seconds, at most 50,000."""
        most = 4 * calls * hits / latency if latency else 20_000
        return max(1, int(scale * min(most, 50_000 if hits > 1 else 10_000)))

    for name, system in systems_at("http://127.0.0.1:9").items():
        limits = system.limits
        together = limits.hits if limits.mixed_visitors else 1
        calls = limits.concurrency
        yield name, ours(name, thread_sender), fitting(calls, together)
    yield (
        "matomo, up to 32 calls",  # by choice only: see its limits
        ours("matomo", lambda n: thread_sender(n, rules=SEVERAL_CALLS)),
        fitting(32, 50),
    )
    yield (
        "posthog, by requests",
        ours("posthog", lambda n: thread_sender(n, transport="requests")),
        fitting(2, 100),
    )
    yield (
        "plausible, by requests",
        ours("plausible", lambda n: thread_sender(n, transport="requests")),
        fitting(4, 1),
    )
    yield "plausible, InlineSender", ours("plausible", lambda _: InlineSender()), 10
    for name, peer in installed()[0].items():
        yield (
            f"peer: {name}",
            lambda number, peer=peer: peer(url, number),
            fitting(1, 100),
        )


def delivered(make: Callable[[int], Any], number: int) -> tuple[float, float]:
    """Send *number* hits; returns the seconds and the seconds of CPU until all are in."""
    subject = make(number)
    begun, cpu = time.perf_counter(), time.process_time()
    for n in range(number):
        subject.send(n)
    subject.finish()
    return time.perf_counter() - begun, time.process_time() - cpu


def throughput(latency: float, rounds: int, scale: float) -> list[Row]:
    """Measure every subject against a collector with that *latency* in seconds."""
    taken: dict[str, list[tuple[float, float]]] = {}
    numbers = {}
    with collecting(latency) as url:
        for _ in range(rounds):
            for name, make, number in subjects(url, latency, scale):
                taken.setdefault(name, []).append(delivered(make, number))
                numbers[name] = number
    rows = []
    for name, times in taken.items():
        seconds, cpu = (
            statistics.median(column) for column in zip(*times, strict=True)
        )
        number = numbers[name]
        rows.append(Row(name, number, number / seconds, cpu / number * 1e6))
    return rows


class Cost(NamedTuple):
    """Microseconds that `send` takes its caller; *blocked* is the share above 10 ms."""

    sender: str
    threads: int
    p50: float
    p99: float
    longest: float
    blocked: float


def senders_at(folder: str) -> dict[str, Callable[[], Sender]]:
    """Make the senders that an application's threads do not wait for."""
    return {
        "ThreadSender": lambda: ThreadSender(max_hits=2000),
        "SpoolSender": lambda: SpoolSender(f"{folder}/spool"),
    }


def cost_of_send(name: str, threads: int, number: int) -> Cost:
    """Call `send` from that many *threads*, while the sender delivers."""
    taken: list[list[float]] = [[] for _ in range(threads)]
    with collecting(0.0) as url, tempfile.TemporaryDirectory() as folder:
        sender = senders_at(folder)[name]()
        sender.bind([systems_at(url)["posthog"]])
        hits = page_views(number)
        ready = threading.Barrier(threads)

        def work(own: list[float]) -> None:
            clock, send = time.perf_counter, sender.send
            pause = threading.Event()
            ready.wait()
            for n, hit in enumerate(hits):
                begun = clock()
                send(hit)
                own.append(clock() - begun)
                if n % 20 == 0:
                    pause.wait(0.002 * threads)  # a site has other things to do

        workers = [threading.Thread(target=work, args=(own,)) for own in taken]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        sender.close(LONGEST)
    times = sorted(seconds * 1e6 for own in taken for seconds in own)
    middle, late = times[len(times) // 2], times[int(len(times) * 0.99)]
    blocked = sum(1 for microseconds in times if microseconds > 10_000) / len(times)
    return Cost(name, threads, middle, late, times[-1], blocked)


class Disk(NamedTuple):
    """Milliseconds from `send` to the commit, for a spool that nobody waits for."""

    hits: int
    per_second: float
    p50: float
    p99: float
    p999: float
    longest: float


def time_to_disk(per_second: float, seconds: float) -> Disk:
    """Send that many hits a second to a spool, and note when each is committed."""
    committed: list[float] = []
    append = Store.append

    def noted(store: Store, hits: Any) -> range:
        ids = append(store, hits)
        committed.extend([time.perf_counter()] * len(ids))
        return ids

    sent: list[float] = []
    sample = page_views(1)[0].context
    pause = threading.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(Store, "append", noted),
    ):
        sender = SpoolSender(f"{folder}/spool", drain=False)
        sender.bind([systems_at("http://127.0.0.1:9")["posthog"]])
        sender.send(PageView(context=sample))
        sender.flush()  # the file is there
        committed.clear()
        begun = time.perf_counter()
        while (now := time.perf_counter()) < begun + seconds:
            while len(sent) < (now - begun) * per_second:
                sent.append(time.perf_counter())
                assert sender.send(PageView(context=sample))
            pause.wait(0.001)
        sender.close()
    late = sorted(1000 * (b - a) for a, b in zip(sent, committed, strict=True))

    def at(share: float) -> float:
        return late[int(len(late) * share)]

    rate = len(late) / seconds
    return Disk(len(late), rate, at(0.5), at(0.99), at(0.999), late[-1])


class Memory(NamedTuple):
    """Resident megabytes after so many hits."""

    hits: int
    megabytes: float


def memory_curve(number: int) -> tuple[list[Memory], Any]:
    """Send *number* hits as fast as can be to a slow collector; then count them."""
    curve = []
    sample = page_views(1)[0]
    with collecting(0.1) as url:
        sender = ThreadSender()
        sender.bind([systems_at(url)["posthog"]])
        for n in range(number + 1):
            if n % max(1, number // 10) == 0:
                curve.append(Memory(n, resident()))
            if n < number:
                sender.send(PageView(context=sample.context))
        sender.close(LONGEST)
        curve.append(Memory(number, resident()))
        [counts] = sender.stats().values()
    return curve, counts


def resident() -> float:
    """Return this process's resident megabytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delivery")
    parser.add_argument("--smoke", action="store_true", help="run, whatever the times")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", choices=("throughput", "send", "disk", "memory"), help="one part"
    )
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    chosen = parser.parse_args()
    made = report(chosen.only, chosen.smoke, chosen.rounds)
    if chosen.json:
        chosen.json.write_text(json.dumps(made, indent=1) + "\n")


def report(
    only: str | None = None, smoke: bool = False, rounds: int = 3
) -> dict[str, Any]:
    """Measure and print; returns the rows by what they tell of."""
    made: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    if only in (None, "throughput"):
        made["throughput"] = _report_throughput(smoke, rounds)
    if only in (None, "send"):
        made["send"] = _report_send(smoke)
    if only in (None, "disk"):
        made["disk"] = _report_disk(smoke)
    if only in (None, "memory"):
        made["memory"] = _report_memory(smoke)
    return made


def _report_throughput(smoke: bool, rounds: int) -> dict[str, Any]:
    made = {}
    for latency in (0.0,) if smoke else LATENCIES:
        name = f"{latency * 1000:.0f} ms"
        print(f"\nCollector with {name:17}{'hits':>15}{'hits/s':>10}{'CPU µs/hit':>12}")
        rows = throughput(latency, 1, 0.01) if smoke else throughput(latency, rounds, 1)
        for row in rows:
            print(
                f"{row.subject:40}{row.hits:8}{row.per_second:10.0f}"
                f"{row.microseconds:12.1f}",
                flush=True,
            )
        made[name] = [row._asdict() for row in rows]
    if missing := installed()[1]:
        print(f"Not installed, and left out: {', '.join(missing)}.")
    return made


def _report_send(smoke: bool) -> list[dict[str, Any]]:
    print("\nsend, µs         threads      p50      p99     longest   over 10 ms")
    costs = [
        cost_of_send(name, n, 20 if smoke else 20_000 // n)
        for name in senders_at("")
        for n in (1, 32)
    ]
    for cost in costs:
        print(
            f"{cost.sender:16}{cost.threads:8}{cost.p50:9.1f}{cost.p99:9.1f}"
            f"{cost.longest:12.0f}{cost.blocked:12.3%}"
        )
    return [cost._asdict() for cost in costs]


def _report_disk(smoke: bool) -> list[dict[str, Any]]:
    print("\nOn disk, ms        hits/s      p50      p99    p99.9     longest")
    made = [time_to_disk(rate, 0.1 if smoke else 10.0) for rate in (100, 1000, 3000)]
    for late in made:
        print(
            f"{late.per_second:24.0f}{late.p50:9.1f}{late.p99:9.1f}{late.p999:9.1f}"
            f"{late.longest:12.1f}"
        )
    return [late._asdict() for late in made]


def _report_memory(smoke: bool) -> dict[str, Any]:
    curve, counts = memory_curve(1000 if smoke else 1_000_000)
    print("\nA slow collector (100 ms): hits sent, resident MB")
    for point in curve:
        print(f"{point.hits:19}{point.megabytes:9.1f}")
    print(counts)
    return {
        "curve": [point._asdict() for point in curve],
        "counts": msgspec.to_builtins(counts),
    }


if __name__ == "__main__":
    main()
