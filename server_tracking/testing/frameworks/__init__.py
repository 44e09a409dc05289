"""What every integration of a framework has to do: a contract to inherit in a test."""

from server_tracking.testing.frameworks.clients import (
    BROWSER,
    Answer,
    Ask,
    Client,
    HandledError,
    SiteError,
)
from server_tracking.testing.frameworks.contract import (
    FrameworkContract,
    support_matrix,
)

__all__ = [
    "BROWSER",
    "Answer",
    "Ask",
    "Client",
    "FrameworkContract",
    "HandledError",
    "SiteError",
    "support_matrix",
]
