"""The stage of the demo: the example shop, and the inspector that hears of it."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from server_tracking.demo.servers import serving_wsgi
from server_tracking.demo.shops import SHOPS, Framework
from server_tracking.demo.sites import behind_proxy_asgi, behind_proxy_wsgi
from server_tracking.inspector.server import LocalServer, serving_inspector
from server_tracking.inspector.store import HitStore, StoredHit
from server_tracking.systems import System
from server_tracking.tracker import Tracker

__all__ = ["USUAL_SHOP_PORT", "Stage", "stage"]

USUAL_SHOP_PORT = 8000


class Stage(NamedTuple):
    """What is served: two addresses, the hits that arrived, and who sent them."""

    shop: str
    inspector: str
    store: HitStore
    tracker: Tracker

    def arrived(self, number: int, patience: float) -> list[StoredHit]:
        """Wait for this *number* of hits, at most *patience* seconds; return all.

        A browser may have an answer before its hits are on their way, and some
        systems are told only every few seconds unless they are asked to hurry.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self.tracker.flush(0.2)
            hits = self.store.wait_for(lambda hits: len(hits) >= number, 0.05)
            if len(hits) >= number:
                break
        self.tracker.flush(0.2)
        return self.store.hits()


@contextmanager
def stage(
    systems_at: Callable[[str], Sequence[System]],
    shop_socket: socket.socket,
    inspector_socket: socket.socket,
    *,
    framework: Framework = "wsgi",
) -> Iterator[Stage]:
    """Serve shop and inspector on two listening sockets while the block lasts.

    *systems_at* makes the systems that are told, for the inspector's address. With
    Django there is one stage for each process.
    """
    store = HitStore()
    with serving_inspector(store, inspector_socket) as inspector:
        tracker = Tracker(
            *systems_at(inspector),
            secret_key=secrets.token_urlsafe(32),
            trusted_proxies=("127.0.0.1",),
        )
        try:
            with _serving_shop(tracker, shop_socket, framework) as shop:
                yield Stage(shop, inspector, store, tracker)
        finally:
            tracker.close(timeout=2)


@contextmanager
def _serving_shop(
    tracker: Tracker, listening: socket.socket, framework: Framework
) -> Iterator[str]:
    make, is_asgi = SHOPS[framework]
    if is_asgi:
        with LocalServer(behind_proxy_asgi(make(tracker)), listening) as server:
            yield server.url
    else:
        with serving_wsgi(behind_proxy_wsgi(make(tracker)), listening) as url:
            yield url
