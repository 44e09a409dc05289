"""Umami: events for ``POST /api/send`` (one) and ``POST /api/batch`` (many).

Each event names its own visitor, so that those of many share a call. Facts are from
Umami's documentation ("Sending stats") and from the source of version 3.1
(``src/app/api/send``, ``src/app/api/batch``).
"""

from server_tracking.systems.umami.system import Umami

__all__ = ["Umami"]
