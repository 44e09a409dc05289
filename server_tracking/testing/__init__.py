"""Test tracked applications, and your own systems and senders."""

from server_tracking.testing.collector import Collector
from server_tracking.testing.frameworks import FrameworkContract, support_matrix
from server_tracking.testing.recording import RecordingSender
from server_tracking.testing.samples import NOW, sample_context, sample_hits
from server_tracking.testing.senders import SenderContract
from server_tracking.testing.systems import SystemContract

__all__ = [
    "NOW",
    "Collector",
    "FrameworkContract",
    "RecordingSender",
    "SenderContract",
    "SystemContract",
    "sample_context",
    "sample_hits",
    "support_matrix",
]
