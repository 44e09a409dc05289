"""Matomo: hits for its Tracking HTTP API, by bulk or one by one.

Facts are from Matomo's Tracking HTTP API reference (5.x), and from the source of its
tracker where the reference is silent.
"""

from server_tracking.systems.matomo.system import Matomo

__all__ = ["Matomo"]
