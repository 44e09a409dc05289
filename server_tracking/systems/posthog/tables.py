"""The fields of an event in PostHog, its properties, and what they mean.

Facts are from PostHog's capture API, its docs on events, and posthog-js.
"""

from __future__ import annotations

from server_tracking.systems import PROPERTIES, ParameterRow

__all__ = ["ROWS", "meaning_of"]

_FIELDS = {
    "event": "Name of the event; those with $ are PostHog's own.",
    "distinct_id": "Who did it: a user, or a device while the user is unknown.",
    "uuid": "Key by which a repeated event is known again.",
    "timestamp": "When it happened.",
    "offset": "Milliseconds between the event and its sending.",
    "$set": "Properties of the person, overwritten.",
    "$set_once": "Properties of the person, kept if there is a value already.",
}
_KEYS = {
    "api_key": "Public key of the project.",
    "token": "Public key of the project.",
}
_PROPERTIES = {
    "$browser_language": "Language of the browser.",
    "$current_url": "Address of the page.",
    "$device_id": "Id of the browser, also once the user is known.",
    "$exception_level": "How grave the error is.",
    "$exception_list": "The error and what caused it, outermost first.",
    "$geoip_disable": "Whether the address is not looked up for a place.",
    "$host": "Host of the page.",
    "$ip": "Address of the visitor; without it that of the sender counts.",
    "$lib": "Library that sent the event.",
    "$lib_version": "Version of that library.",
    "$pathname": "Path of the page.",
    "$process_person_profile": "Whether a profile of the person is kept.",
    "$raw_user_agent": "User agent, by which robots are recognised.",
    "$referrer": "Address of the page before.",
    "$referring_domain": "Host of the page before.",
    "$screen_height": "Height of the screen in pixels.",
    "$screen_name": "Name of the screen of an application.",
    "$screen_width": "Width of the screen in pixels.",
    "$session_id": "Id of the visit, a UUIDv7 of its start.",
    "$viewport_height": "Height of the window in pixels.",
    "$viewport_width": "Width of the window in pixels.",
    "products": "What was bought, looked at or put into the basket.",
    "title": "Title of the page.",
    "utm_campaign": "Name of the campaign.",
    "utm_content": "Which link or advertisement of the campaign.",
    "utm_id": "Id of the campaign.",
    "utm_medium": "Kind of link that brought the visitor.",
    "utm_source": "Who sent the visitor.",
    "utm_term": "Keyword of the campaign.",
    "gclid": "Click on an advertisement of Google.",
    "dclid": "Click on an advertisement of Google Display.",
    "fbclid": "Click on a link in Facebook.",
    "msclkid": "Click on an advertisement of Microsoft.",
    **PROPERTIES,
    "<name>": "Property of the site's own.",
}

ROWS = tuple(
    ParameterRow(name, meaning) for name, meaning in {**_FIELDS, **_PROPERTIES}.items()
)


def meaning_of(name: str, *, is_property: bool) -> str:
    """Say what a field of an event means, or one of its properties."""
    if is_property:
        other = "" if name.startswith("$") else _PROPERTIES["<name>"]
        return _PROPERTIES.get(name) or _KEYS.get(name) or _FIELDS.get(name, other)
    return _FIELDS.get(name) or _KEYS.get(name, "")
