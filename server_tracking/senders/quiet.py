"""Keep a test run from reaching others, and Sentry from seeing our calls.

Tests and staging that pollute the figures of production are what users of every
such library complain of. So each call is looked at where it leaves: under pytest,
unittest and ``manage.py test`` it may go to loopback only, where tests have their
own collectors. ``SERVER_TRACKING_ALLOW_SEND=1`` allows all.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from server_tracking.errors import TransportError
from server_tracking.reasons import Reason

__all__ = [
    "ALLOW_SEND",
    "KeptBackError",
    "is_free",
    "kept_back",
    "runner_of_tests",
    "unseen_by_sentry",
]

logger = logging.getLogger("server_tracking")

ALLOW_SEND = "SERVER_TRACKING_ALLOW_SEND"
_YES = frozenset({"1", "true", "yes", "on"})
_DJANGO = frozenset({"manage.py", "django-admin", "django-admin.py"})


class KeptBackError(TransportError):
    """The call was not made, for a test runs and its target is not this machine."""


def kept_back(url: str) -> KeptBackError | None:
    """Say that a call to *url* must not be made now; None if it may."""
    runner = runner_of_tests()
    if runner is None or _is_allowed():
        return None
    if _is_loopback(urlsplit(url).hostname or ""):
        return None
    _tell(runner)
    return KeptBackError(Reason.TEST_RUN, processed=False)


def is_free() -> bool:
    """Tell whether a call to any URL may be made now."""
    return runner_of_tests() is None or _is_allowed()


def runner_of_tests() -> str | None:
    """Name the test runner that this process, or one that started it, runs under."""
    # pytest sets it, and hands it on to the processes that a test starts:
    # https://docs.pytest.org/en/stable/reference/reference.html#envvar-PYTEST_VERSION
    if "PYTEST_VERSION" in os.environ:
        return "pytest"
    if _started_by_unittest() or _has_unittest_results():
        return "unittest"
    return "manage.py test" if _is_django_test() else None


def _is_allowed() -> bool:
    return os.environ.get(ALLOW_SEND, "").lower() in _YES


def _started_by_unittest() -> bool:
    main = getattr(sys.modules.get("__main__"), "__spec__", None)
    return main is not None and main.name.partition(".")[0] == "unittest"


def _has_unittest_results() -> bool:
    """Tell whether a TextTestRunner is at work: each registers its results."""
    signals = sys.modules.get("unittest.signals")
    return bool(getattr(signals, "_results", None))


def _is_django_test() -> bool:
    if sys.argv[1:2] != ["test"]:
        return False
    return os.path.basename(sys.argv[0]) in _DJANGO  # noqa: PTH119 - pathlib takes 2 ms


@cache
def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def _tell(runner: str) -> None:
    logger.warning(
        "Under %s nothing is sent but to this machine; %s=1 allows it.",
        runner,
        ALLOW_SEND,
    )


@contextmanager
def unseen_by_sentry() -> Iterator[None]:
    """Keep Sentry, if the application uses it, from our calls.

    It patches `http.client`: each call would become a span and a breadcrumb, with the
    secrets in its URL, and carry the site's trace, release and environment along.
    """
    sentry: Any = sys.modules.get("sentry_sdk")
    if sentry is None or not hasattr(sentry, "new_scope"):  # none, or one before 2.0
        yield
        return
    with sentry.new_scope() as scope:
        scope.set_client(_blind_client())
        yield


@cache
def _blind_client() -> Any:
    """Make a client of Sentry's that sends nothing and has no integrations."""
    return sys.modules["sentry_sdk"].Client(
        dsn=None, default_integrations=False, auto_enabling_integrations=False
    )
