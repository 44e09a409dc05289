"""Normalise and hash what a visitor has given, and check it: mail, phone, address.

Google hashes nothing itself, so that nobody but the visitor's own account at
Google matches. Send it only with the visitor's consent to advertising use:

    extra={"google_analytics_4": {"user_data": user_data_from(emails=["..."])}}

Source: user-provided data guide of the Measurement Protocol.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from server_tracking.patterns import pattern_from
from server_tracking.systems.google_analytics_4.findings import (
    Finding,
    advice,
    invalid,
    known_fields,
    strangers,
)
from server_tracking.systems.google_analytics_4.tables import ADDRESS, USER_DATA
from server_tracking.wire import well_formed

__all__ = [
    "address_from",
    "check_user_data",
    "hashed",
    "normalized_email",
    "normalized_name",
    "normalized_phone",
    "normalized_postal_code",
    "normalized_street",
    "user_data_from",
]

_SOURCE = "GA4 user-provided data"
_HASH = pattern_from(r"[0-9a-f]{64}")
_MOST = {"sha256_email_address": 3, "sha256_phone_number": 3, "address": 2}
_SPACES = pattern_from(r"\s+")
_PHONE_NOISE = pattern_from(r"\(0\)|[^0-9+]")
_PHONE = pattern_from(r"\+[1-9][0-9]{6,14}")  # E.164: at most 15 digits
_COUNTRY = pattern_from(r"[A-Z]{2}")
_DOTLESS = ("gmail.com", "googlemail.com")


def hashed(text: str) -> str:
    """Return the SHA-256 of *text* in lower-case hexadecimal digits."""
    return hashlib.sha256(well_formed(text).encode()).hexdigest()


def normalized_email(text: str) -> str | None:
    """Write a mail address as Google does; None for what is none.

    Gmail ignores dots in front of the @, so they are taken out there.
    """
    local, at, domain = _SPACES.sub("", text).lower().rpartition("@")
    if domain in _DOTLESS:
        local = local.replace(".", "")
    if not (at and local and domain) or "@" in local:
        return None
    return f"{local}@{domain}"


def normalized_phone(text: str, calling_code: str | None = None) -> str | None:
    """Write a phone number by E.164; None for what cannot be one.

    *calling_code* (such as ``49``) is that of numbers written without it; their
    leading zero falls away.
    """
    number = _PHONE_NOISE.sub("", text)
    if number.startswith("00"):
        number = "+" + number[2:]
    elif calling_code and not number.startswith("+"):
        number = f"+{calling_code.lstrip('+')}{number.removeprefix('0')}"
    return number if _PHONE.fullmatch(number) else None


def normalized_name(text: str) -> str | None:
    """Write a first or last name, city or region: letters and spaces, lower case."""
    return _only(text, "LM")


def normalized_street(text: str) -> str | None:
    """Write a street: letters, digits and spaces, lower case."""
    return _only(text, "LMN")


def normalized_postal_code(text: str) -> str | None:
    """Write a postal code without dots and tildes."""
    return text.replace(".", "").replace("~", "").strip() or None


def address_from(
    *,
    first_name: str = "",
    last_name: str = "",
    street: str = "",
    city: str = "",
    region: str = "",
    postal_code: str = "",
    country: str = "",
) -> dict[str, str]:
    """Make one address as Google wants it: names and street hashed, the rest plain.

    *country* is a code of two letters (ISO 3166-1). What is left empty is left out.
    """
    code = country.strip().upper()
    hidden = {
        "sha256_first_name": normalized_name(first_name),
        "sha256_last_name": normalized_name(last_name),
        "sha256_street": normalized_street(street),
    }
    plain = {
        "city": normalized_name(city),
        "region": normalized_name(region),
        "postal_code": normalized_postal_code(postal_code),
        "country": code if _COUNTRY.fullmatch(code) else None,
    }
    return {
        **{name: hashed(value) for name, value in hidden.items() if value},
        **{name: value for name, value in plain.items() if value},
    }


def user_data_from(
    *,
    emails: Iterable[str] = (),
    phones: Iterable[str] = (),
    addresses: Iterable[Mapping[str, str]] = (),
    calling_code: str | None = None,
) -> dict[str, Any]:
    """Make the ``user_data`` of a request: three mails and phones, two addresses.

    *addresses* are arguments of `address_from`; what is no mail address or phone
    number is left out.
    """
    mails = [mail for text in emails if (mail := normalized_email(text))]
    numbers = [
        number for text in phones if (number := normalized_phone(text, calling_code))
    ]
    places = [place for given in addresses if (place := address_from(**given))]
    data = {
        "sha256_email_address": [hashed(mail) for mail in mails[:3]],
        "sha256_phone_number": [hashed(number) for number in numbers[:3]],
        "address": places[:2],
    }
    return {name: values for name, values in data.items() if values}


def check_user_data(body: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the ``user_data`` of a request."""
    data = body.get("user_data")
    if data is None:
        return
    yield from strangers("user_data", data, USER_DATA)
    consent = body.get("consent")
    if isinstance(consent, Mapping) and consent.get("ad_user_data") == "DENIED":
        message = "The visitor has not allowed it: ad_user_data is denied."
        yield advice("user_data", message, _SOURCE)
    for name, value in known_fields(data, USER_DATA):
        values = value if isinstance(value, list) else [value]
        if len(values) > _MOST[name]:
            message = f"Up to {_MOST[name]} are read."
            yield Finding(
                "EXCEEDED_MAX_ENTITIES", f"user_data.{name}", message, _SOURCE
            )
        for single in values:
            if name == "address":
                yield from _check_address(single)
            elif not _HASH.fullmatch(str(single)):
                message = "It is a SHA-256 in lower-case hexadecimal digits."
                yield invalid(f"user_data.{name}", message, _SOURCE)


def _check_address(address: Any) -> Iterator[Finding]:
    place = "user_data.address"
    yield from strangers(place, address, ADDRESS)
    for name, value in known_fields(address, ADDRESS):
        if ADDRESS[name].kind == "hash" and not _HASH.fullmatch(str(value)):
            message = "It is a SHA-256 in lower-case hexadecimal digits."
            yield invalid(f"{place}.{name}", message, _SOURCE)


def _only(text: str, categories: str) -> str | None:
    kept = (c for c in text if c.isspace() or unicodedata.category(c)[0] in categories)
    return "".join(kept).lower().strip() or None
