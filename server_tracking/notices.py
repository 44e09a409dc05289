"""Short notices of what was decided for a request: in a header, in the log."""

from __future__ import annotations

from functools import lru_cache

from server_tracking.cookies import CookieSigner, cookie_header, cookie_value
from server_tracking.errors import ConfigurationError
from server_tracking.exchange import Request
from server_tracking.extractor import Recognition
from server_tracking.reasons import Reason
from server_tracking.settings import Settings

__all__ = ["COOKIE", "HEADER", "explain_cookie", "notice_of", "wants_notice"]

HEADER = "Server-Tracking"
"""The header of an answer that says what was decided."""

COOKIE = "explain_tracking"
"""The signed cookie of those who see it."""

_MAX_AGE = 24 * 3600


def explain_cookie(settings: Settings, request: Request) -> str:
    """Write the Set-Cookie value that shows the header to the sender for a day.

    Set it on a page that only the site's own people reach. Raises
    `ConfigurationError` without ``explain_header`` and a ``secret_key``.
    """
    if not (settings.explain_header and settings.secret_keys):
        raise ConfigurationError(
            "Option 'explain_header': it has to be True, with a secret_key, before "
            "anybody can see the header.",
            option="explain_header",
        )
    return cookie_header(
        COOKIE,
        _signer(settings).sign("1"),
        max_age=_MAX_AGE,
        path=settings.cookie_path,
        secure=request.scheme == "https",
        httponly=True,
        samesite="Lax",
    )


def wants_notice(settings: Settings, request: Request) -> bool:
    """Tell whether *request* carries the cookie, signed by this site."""
    if not (settings.explain_header and settings.secret_keys):
        return False
    value = cookie_value(request.headers.get("cookie"), COOKIE)
    return value is not None and _signer(settings).verified(value) is not None


def notice_of(
    page_refusal: Reason | None, is_page: bool, recognition: Recognition | None
) -> str:
    """Say in one line what becomes of a request; nothing in it is the visitor's."""
    parts = ["page-view" if is_page else f"no-page-view; reason={page_refusal}"]
    if recognition is not None:
        if recognition.refusal is not None:
            parts = [f"nothing; reason={recognition.refusal}"]
        parts.append(f"consent={recognition.decision.state}")
        if recognition.session is not None:
            parts.append(f"visit={recognition.session.number}")
        if recognition.agent is not None:
            parts.append(f"agent={recognition.agent.kind}")
    return "; ".join(parts)


@lru_cache(maxsize=16)
def _signer(settings: Settings) -> CookieSigner:
    return CookieSigner(settings.secret_keys, "explain", settings.cookie_salt)
