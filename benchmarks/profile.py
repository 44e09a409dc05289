"""Show where the time of a page view goes: `python -m benchmarks.profile [REQUESTS]`.

Hits are queued and left there, so that the request alone is seen. Functions that are
called often look dearer than they are: the profiler takes its part of each call.
"""

from __future__ import annotations

import cProfile
import pstats
import sys

from benchmarks import floor
from benchmarks.measuring import serving
from benchmarks.overhead import QueueSender, known_cookie, maker
from benchmarks.requests_made import PAGE_VIEW
from benchmarks.sites import BARE_SITES
from server_tracking import Tracker


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    site = BARE_SITES[0]
    tracker = Tracker(sender=QueueSender(), secret_key="a key for the profile")
    app = site.make(tracker)
    make = maker(site, PAGE_VIEW, known_cookie(tracker))
    made = [make() for _ in range(requests)]
    with serving(site.gateway) as serve:
        serve(app, made[:100])
        floor.queue.clear()
        profiler = cProfile.Profile()
        profiler.enable()
        serve(app, made[100:])
        profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
