"""GoatCounter: page views and events for ``POST /api/v0/count``.

Facts are from GoatCounter's API reference and from the source of its collector
(``handlers/api.go`` and ``hit.go`` in arp242/goatcounter, August 2026).
"""

from server_tracking.systems.goatcounter.system import GoatCounter

__all__ = ["GoatCounter"]
