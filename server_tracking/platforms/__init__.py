"""Ask the consent platform of a site what a visitor allows.

Each maker returns a function for the setting ``consent_resolver``. What it answers is
a `Consent`, or None while the visitor has not decided; a cookie that cannot be read
is no decision.
"""

from __future__ import annotations

from server_tracking.platforms.tcf import TcfConsent, tcf, tcf_consent_from
from server_tracking.platforms.vendors import (
    cookiebot,
    django_cookie_consent,
    google_consent,
    klaro,
    onetrust,
)

__all__ = [
    "TcfConsent",
    "cookiebot",
    "django_cookie_consent",
    "google_consent",
    "klaro",
    "onetrust",
    "tcf",
    "tcf_consent_from",
]
