"""Show what `Tracker.stats()` counts to Prometheus and to OpenTelemetry.

    REGISTRY.register(PrometheusCollector(tracker))     # server-tracking[prometheus]
    observe(tracker)                                    # server-tracking[opentelemetry]

Both read the counts when they are asked, and cost a request nothing. The counts are
those of one process: of a server with several, each has its own to show.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from server_tracking.senders import Counts, Stats
from server_tracking.tracker import Tracker

__all__ = ["METRICS", "Metric", "PrometheusCollector", "observe"]

Labels = tuple[str, ...]
Reading = tuple[Labels, int]
"""The values of the labels, in their order, and the count."""


class Metric(NamedTuple):
    """One figure: its name without prefix, what it counts, and how it is read.

    *falls* tells a gauge from a counter.
    """

    name: str
    help: str
    labels: Labels
    read: Callable[[Stats], Iterator[Reading]]
    falls: bool = False


def _submitted(stats: Stats) -> Iterator[Reading]:
    for system, counts in stats.systems.items():
        yield (system,), counts.submitted


def _ended(stats: Stats) -> Iterator[Reading]:
    for system, counts in stats.systems.items():
        for end, reason, number in _ends(counts):
            yield (system, end, reason), number


def _ends(counts: Counts) -> Iterator[tuple[str, str, int]]:
    for end in ("delivered", "unknown", "expired", "abandoned", "lost"):
        yield end, "", getattr(counts, end)
    for end in ("refused", "rejected", "dropped_by_system"):
        reasons: Mapping[str, int] = getattr(counts, end)
        for reason, number in reasons.items():
            yield end, str(reason), number


def _held(stats: Stats) -> Iterator[Reading]:
    for system, counts in stats.systems.items():
        for state in ("queued", "waiting", "sending"):
            yield (system, state), getattr(counts, state)


def _not_tracked(stats: Stats) -> Iterator[Reading]:
    for reason, number in stats.not_tracked.items():
        yield (str(reason),), number


def _errors(stats: Stats) -> Iterator[Reading]:
    yield (), stats.errors


METRICS = (
    Metric("hits_submitted", "Hits given to the sender.", ("system",), _submitted),
    Metric(
        "hits_ended",
        "Hits that have an end: delivered, or lost in a way that has a name.",
        ("system", "end", "reason"),
        _ended,
    ),
    Metric(
        "hits_held", "Hits without an end yet.", ("system", "state"), _held, falls=True
    ),
    Metric(
        "not_tracked",
        "Requests that made no page view, and hits never submitted.",
        ("reason",),
        _not_tracked,
    ),
    Metric("errors", "Errors of server-tracking kept from the site.", (), _errors),
)
"""Always: hits_submitted is the sum of hits_ended and hits_held."""


class PrometheusCollector:
    """Collect the counts of *tracker*; register it with a `CollectorRegistry`.

    The names begin with ``server_tracking_``. Raises `ImportError` without
    prometheus-client.
    """

    def __init__(self, tracker: Tracker) -> None:
        # Optional, and without type information where it is not installed.
        self._core: Any = importlib.import_module("prometheus_client.core")
        self._tracker = tracker

    def describe(self) -> Iterable[Any]:
        """Make the empty families, so that registering does not collect."""
        return [self._family(metric) for metric in METRICS]

    def collect(self) -> Iterator[Any]:
        """Make the families, with the counts of this moment."""
        stats = self._tracker.stats()
        for metric in METRICS:
            family = self._family(metric)
            for labels, number in metric.read(stats):
                family.add_metric(labels, number)
            yield family

    def _family(self, metric: Metric) -> Any:
        core = self._core
        kind = core.GaugeMetricFamily if metric.falls else core.CounterMetricFamily
        return kind(f"server_tracking_{metric.name}", metric.help, labels=metric.labels)


def observe(tracker: Tracker, meter: Any = None) -> None:
    """Have OpenTelemetry observe the counts of *tracker*, by *meter* if one is given.

    The names begin with ``server_tracking.``. The meter keeps the tracker for good.
    Raises `ImportError` without opentelemetry-api.
    """
    metrics: Any = importlib.import_module("opentelemetry.metrics")
    if meter is None:
        meter = metrics.get_meter("server_tracking")
    for metric in METRICS:
        make = (
            meter.create_observable_up_down_counter
            if metric.falls
            else meter.create_observable_counter
        )
        make(
            f"server_tracking.{metric.name}",
            callbacks=[_callback(tracker, metric, metrics.Observation)],
            unit="1",
            description=metric.help,
        )


def _callback(
    tracker: Tracker, metric: Metric, observation: Any
) -> Callable[[Any], list[Any]]:
    def read(_options: Any) -> list[Any]:
        return [
            observation(
                number,
                {
                    name: value
                    for name, value in zip(metric.labels, labels, strict=True)
                    if value
                },
            )
            for labels, number in metric.read(tracker.stats())
        ]

    return read
