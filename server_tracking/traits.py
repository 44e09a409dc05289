"""What a request tells of its campaign and its device, made fit to be told on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import msgspec

from server_tracking.campaigns import campaign_from
from server_tracking.hits import Campaign, Device
from server_tracking.languages import language_from
from server_tracking.patterns import pattern_from
from server_tracking.scrubbing import scrubbed_text

__all__ = ["campaign_of", "device_of"]

_USER_AGENT_LIMIT = 512
_CAMPAIGN_LIMIT = 200
_CLICK_ID_LIMIT = 256
_DOT = "\N{ONE DOT LEADER}"  # like a dot, but in no address
# Versions have the form of addresses: Chrome/140.0.0.0, rv:1.9.2.13.
_VERSION = pattern_from(r"(?<=\w/)[0-9.]+|(?<=rv:)[0-9.]+")
_NO_CAMPAIGN = Campaign()


def campaign_of(query: str, with_click_ids: bool) -> Campaign:
    """Find the campaign in *query*, its texts scrubbed of personal data."""
    if not query:
        return _NO_CAMPAIGN
    found = campaign_from(query)
    if found.click_ids:
        opaque = _opaque(found.click_ids) if with_click_ids else {}
        found = msgspec.structs.replace(found, click_ids=opaque)
    if found == _NO_CAMPAIGN:
        return found
    clean = {
        name: scrubbed_text(value, _CAMPAIGN_LIMIT)
        for name in ("source", "medium", "name", "term", "content", "id")
        if (value := getattr(found, name))
    }
    return msgspec.structs.replace(found, **clean)


def _opaque(click_ids: Mapping[str, str]) -> dict[str, str]:
    """Leave out what is no click id; each looks like a token, and some like several."""
    return {
        name: value
        for name, value in click_ids.items()
        if "eyJ" not in value
        and scrubbed_text(value, _CLICK_ID_LIMIT).replace("[token]", "").count("[")
        == value.count("[")
    }


def device_of(header: Callable[[str], str | None]) -> Device:
    """Read the device from what *header* returns for each name."""
    agent = header("user-agent")
    if agent is not None and (
        not agent.isprintable() or len(agent) > _USER_AGENT_LIMIT
    ):
        agent = _printable(agent[:_USER_AGENT_LIMIT])
    return _device_of(agent or None, language_from(header("accept-language")))


# Few kinds of devices make most requests.
@lru_cache(maxsize=1024)
def _device_of(agent: str | None, language: str | None) -> Device:
    if agent is not None:
        agent = _VERSION.sub(lambda m: m[0].replace(".", _DOT), agent)
        agent = scrubbed_text(agent, _USER_AGENT_LIMIT).replace(_DOT, ".")
    return Device(agent, language)


def _printable(characters: Iterable[str]) -> str:
    return "".join(c for c in characters if c.isprintable())
