"""What a request costs: over the application itself, beside a floor and the peers.

A row tells microseconds over the same application without tracking: on the clock, of
the serving thread's CPU, and of the whole process until all hits are delivered to a
collector on this machine. The first row is that application itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks import floor
from benchmarks.fast_collector import collecting
from benchmarks.framework_sites import installed_sites
from benchmarks.measuring import Cost, Size, Variant, measured, serving
from benchmarks.peer_sites import missing_peers, peers_at
from benchmarks.requests_made import (
    KINDS,
    NAVIGATION,
    PAGE_VIEW,
    Kind,
    environ_of,
    scope_of,
)
from benchmarks.sites import BARE_SITES, Site, noop_asgi, noop_wsgi
from benchmarks.tables import Row, Table
from server_tracking import Tracker
from server_tracking.systems import GoogleAnalytics4, Matomo, PostHog, System
from server_tracking.wsgi import TrackingMiddleware

ITSELF, NOOP, FLOOR, OURS = (
    "the application itself",
    "no-op",
    "floor",
    "server_tracking",
)
QUEUED = "page view, hit only queued"
OTHERS = ("Matomo", "Google Analytics 4")
COLUMNS = (
    "µs over it, CPU of the serving thread, total CPU with delivery, all medians; "
    "p50, p99: the whole request, in the quietest round."
)


def overhead(size: Size) -> Iterator[Table]:
    """Measure every kind of request on bare WSGI and ASGI."""
    for site in BARE_SITES:
        yield _kinds(site, size)


def frameworks(size: Size) -> Iterator[Table]:
    """Measure every kind of request on each framework that is installed."""
    found, missing = installed_sites()
    tell("frameworks", missing)
    for site in found:
        yield _kinds(site, size)


def peers(size: Size) -> Iterator[Table]:
    """Measure a page view on each site beside other libraries, which do less."""
    sites, missing = installed_sites()
    tell("frameworks", missing)
    tell("peers", missing_peers())
    with collecting(0.0) as url:
        found = peers_at(url)
        for site in (*BARE_SITES, *sites):
            yield _peers(site, found, url, size)
        for peer in found.values():
            peer.close()


def tell(what: str, missing: list[str]) -> None:
    """Say what is not installed."""
    if missing:
        print(f"Not installed, and left out, {what}: {', '.join(missing)}.", flush=True)


class QueueSender:
    """Take hits as a thread's queue does, and leave them there."""

    takes_drafts = True

    def bind(self, systems: Any) -> None:
        pass

    def send(self, hit: Any) -> bool:
        floor.queue.append(hit)
        return True


@contextmanager
def tracking(url: str, *systems: System) -> Iterator[Tracker]:
    """Make a tracker that delivers to the collector at *url*."""
    tracker = Tracker(
        *(systems or (PostHog("phc_made_up", host=url),)),
        secret_key="a key for the benchmark",
        strict=True,
    )
    try:
        yield tracker
    finally:
        tracker.close(30)
        for name, counts in tracker.stats().systems.items():
            if missing := counts.submitted - counts.delivered:
                print(f"{name}: {missing} of {counts.submitted} hits not delivered.")


def known_cookie(tracker: Tracker) -> str:
    """Take the cookie that a first page view sets, among others."""
    kept: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        kept.extend(value for name, value in headers if name == "Set-Cookie")

    plain = BARE_SITES[0].make(None)
    TrackingMiddleware(plain, tracker)(environ_of(NAVIGATION), start_response)
    return "theme=dark; " + kept[0].partition(";")[0] + "; other=1"


def maker(site: Site, kind: Kind, cookie: str) -> Any:
    """Make what makes such requests for *site*."""
    make = environ_of if site.gateway == "WSGI" else scope_of
    known = cookie if kind.known else None
    return partial(make, kind.headers, known, kind.path, kind.method)


def yardsticks(site: Site, cookie: str) -> dict[str, Variant]:
    """Make what stands beside: the application, the least wrapper, and the floor."""
    plain = site.make(None)
    wsgi = site.gateway == "WSGI"
    noop = (noop_wsgi if wsgi else noop_asgi)(plain)
    by_hand = (floor.wsgi_floor if wsgi else floor.asgi_floor)(plain)
    own = f"theme=dark; vn={floor.signed('1.2.3')}; other=1"
    made = maker(site, PAGE_VIEW, cookie)
    return {
        ITSELF: Variant(plain, made),
        NOOP: Variant(noop, made),
        FLOOR: Variant(by_hand, maker(site, PAGE_VIEW, own)),
    }


def _kinds(site: Site, size: Size) -> Table:
    with (
        collecting(0.0) as url,
        tracking(url) as tracker,
        serving(site.gateway) as serve,
        _to_others(site, url) as others,
    ):
        cookie = known_cookie(tracker)
        variants = yardsticks(site, cookie)
        plain, tracked = variants[ITSELF].app, site.make(tracker)
        baselines = dict.fromkeys((NOOP, FLOOR), ITSELF)
        for kind in KINDS:
            make = maker(site, kind, cookie)
            baselines[kind.name] = ITSELF
            if kind.path != PAGE_VIEW.path:
                name = baselines[kind.name] = f"plain: {kind.name}"
                variants[name] = Variant(plain, make)
            variants[kind.name] = Variant(tracked, make, tracker.flush)
            _check(variants[kind.name], serve, tracker, kind)
        variants[QUEUED] = _queued_only(site, tracked, tracker, cookie)
        baselines[QUEUED] = ITSELF
        variants |= others
        baselines |= dict.fromkeys(others, ITSELF)
        return table_of(site.name, measured(variants, serve, size), baselines)


def _queued_only(site: Site, app: Any, tracker: Tracker, cookie: str) -> Variant:
    """Make the same page view with a sender at rest: what the floor does too."""
    delivering, resting = tracker.sender, QueueSender()

    def rest() -> None:
        floor.queue.clear()
        tracker.sender = resting

    def wake() -> None:
        assert floor.queue
        tracker.sender = delivering

    return Variant(app, maker(site, PAGE_VIEW, cookie), wake, rest)


@contextmanager
def _to_others(site: Site, url: str) -> Iterator[dict[str, Variant]]:
    """Deliver the same page view to systems with other calls than PostHog's."""
    if site not in BARE_SITES:
        yield {}
        return
    matomo = Matomo(url, 1, token="0" * 32)
    google = GoogleAnalytics4("G-XXXX", api_secret="secret", endpoint=url)
    with tracking(url, matomo) as one, tracking(url, google) as other:
        yield {
            f"the same, to {name}": Variant(
                site.make(tracker),
                maker(site, PAGE_VIEW, known_cookie(tracker)),
                tracker.flush,
            )
            for name, tracker in zip(OTHERS, (one, other), strict=True)
        }


def _check(variant: Variant, serve: Any, tracker: Tracker, kind: Kind) -> None:
    """See that what is measured is what is meant."""
    before = _submitted(tracker)
    serve(variant.app, [variant.make()])
    made = _submitted(tracker) - before
    assert made == kind.hits, f"{kind.name}: {made} hits"


def _submitted(tracker: Tracker) -> int:
    return sum(counts.submitted for counts in tracker.stats().systems.values())


def _peers(site: Site, found: Mapping[str, Any], url: str, size: Size) -> Table:
    with tracking(url) as tracker, serving(site.gateway) as serve:
        cookie = known_cookie(tracker)
        variants = yardsticks(site, cookie)
        made = maker(site, PAGE_VIEW, cookie)
        variants[OURS] = Variant(site.make(tracker), made, tracker.flush)
        for name, peer in found.items():
            app = peer.wrap(site)
            if app is not None:
                variants[f"peer: {name}"] = Variant(app, made, peer.flush)
        costs = measured(variants, serve, size)
        baselines = dict.fromkeys(variants, ITSELF)
        del baselines[ITSELF]
        return table_of(f"{site.name}, beside others", costs, baselines)


def table_of(title: str, costs: dict[str, Cost], baselines: dict[str, str]) -> Table:
    """Write costs as rows over their baselines."""
    itself = costs[ITSELF]
    rows = [_row(ITSELF, itself, None, None)]
    floor_cpu = costs[FLOOR].cpu - itself.cpu
    for name, baseline in baselines.items():
        rows.append(_row(name, costs[name], costs[baseline], floor_cpu))
    return Table(title, rows, COLUMNS)


def _row(name: str, cost: Cost, base: Cost | None, floor_cpu: float | None) -> Row:
    zero = Cost(0, 0, 0, 0, 0, 0) if base is None else base
    cpu = cost.cpu - zero.cpu
    counts = floor_cpu and (name.startswith("page view") or name == OURS)
    return {
        "request": name,
        "over": cost.wall - zero.wall,
        "CPU": cpu,
        "total CPU": cost.total - zero.total,
        "p50": cost.p50,
        "p99": cost.p99,
        "x its p99": base and cost.p99 / base.p99,
        "x the floor": cpu / floor_cpu if counts else None,
        "x itself": base and cost.cpu / base.cpu,
        "peak bytes": round(cost.peak - zero.peak),
    }
