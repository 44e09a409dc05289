"""Check requests and their events by the rules of the Measurement Protocol.

The same checks serve what is about to be sent and what the inspector received.
They are looser than sending where Google's pages disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from server_tracking.patterns import pattern_from
from server_tracking.systems.google_analytics_4.findings import (
    EVENT_REFERENCE,
    LIMITATIONS,
    REFERENCE,
    Finding,
    advice,
    check_time,
    check_value,
    invalid,
    known_fields,
    strangers,
    too_long,
)
from server_tracking.systems.google_analytics_4.tables import (
    APP_EVENTS,
    BODY,
    CLIENT_COOKIE,
    CLIENT_ID,
    CONSENT,
    DEVICE,
    DEVICE_CATEGORIES,
    EVENTS,
    ITEM,
    LOCATION,
    LONGEST_NAME,
    LONGEST_USER_ID,
    LONGEST_USER_PROPERTY,
    LONGEST_USER_PROPERTY_NAME,
    LONGEST_VALUE,
    LONGEST_VALUES,
    MOST_EVENTS,
    MOST_ITEM_PARAMETERS,
    MOST_ITEMS,
    MOST_PARAMETERS,
    MOST_USER_PROPERTIES,
    NAME,
    PARAMETERS,
    RESERVED_EVENTS,
    RESERVED_PARAMETERS,
    RESERVED_PREFIXES,
    RESERVED_USER_PROPERTIES,
    RESERVED_USER_PROPERTY_PREFIXES,
)
from server_tracking.systems.google_analytics_4.user_data import check_user_data
from server_tracking.wire import is_address

__all__ = ["check_body", "check_event"]

_USER_PROPERTIES = "GA4 user properties"


# The request


def check_body(
    body: Mapping[str, Any], now: float | None = None, *, app: bool = False
) -> Iterator[Finding]:
    """Check what belongs to the request; *now* (Unix seconds) lets times be checked.

    *app* requests have an app instance id in place of a client id.
    """
    for name in body:
        if name not in BODY:
            message = f"The protocol has no field {name[:LONGEST_NAME]!r}."
            yield Finding("VALUE_INVALID", name, message, REFERENCE, True, False)
    if not isinstance(body.get("events", []), list):
        message = "The events are a list, also if there is one."
        yield invalid("events", message, REFERENCE)
    yield from _identity(body, app)
    yield from check_time("timestamp_micros", body.get("timestamp_micros"), now)
    yield from _consent(body.get("consent"))
    yield from _place(body)
    yield from _device(body)
    yield from _user_properties(body.get("user_properties"), now)
    yield from check_user_data(body)
    behavior = body.get("validation_behavior")
    if behavior not in (None, "RELAXED", "ENFORCE_RECOMMENDATIONS"):
        message = "It is RELAXED or ENFORCE_RECOMMENDATIONS."
        yield Finding("VALUE_INVALID", "validation_behavior", message, REFERENCE)


def _identity(body: Mapping[str, Any], app: bool) -> Iterator[Finding]:
    if app:
        instance = body.get("app_instance_id")
        if not re.fullmatch(r"[0-9A-Fa-f]{32}", str(instance)):
            message = "An app stream needs its 32 hexadecimal digits."
            yield Finding(
                "VALUE_REQUIRED", "app_instance_id", message, REFERENCE, True, False
            )
    elif not body.get("client_id"):
        message = "A web stream needs it: without it nothing is counted."
        yield Finding("VALUE_REQUIRED", "client_id", message, REFERENCE, True, False)
    elif not isinstance(client_id := body["client_id"], str) or not (
        CLIENT_ID.fullmatch(client_id) or CLIENT_COOKIE.fullmatch(client_id)
    ):
        message = "It should be two numbers joined by a dot; others may never show."
        yield invalid("client_id", message, REFERENCE)
    user_id = body.get("user_id")
    if user_id is not None and not (isinstance(user_id, str) and user_id):
        yield invalid("user_id", "It is a text, or left out.", REFERENCE)
    elif user_id and len(user_id) > LONGEST_USER_ID:
        yield too_long("user_id", LONGEST_USER_ID)


def _consent(consent: Any) -> Iterator[Finding]:
    for name, value in known_fields(consent, CONSENT):
        if value not in ("GRANTED", "DENIED"):
            message = "It is GRANTED or DENIED, in capitals."
            yield invalid(f"consent.{name}", message, REFERENCE)
    yield from strangers("consent", consent, CONSENT)


def _place(body: Mapping[str, Any]) -> Iterator[Finding]:
    location = body.get("user_location")
    yield from strangers("user_location", location, LOCATION)
    for name, value in known_fields(location, LOCATION):
        if not isinstance(value, str) or not _PLACES[name].fullmatch(value):
            message = LOCATION[name].meaning
            yield invalid(f"user_location.{name}", message, REFERENCE)
    address = body.get("ip_override")
    if address is not None and not is_address(str(address)):
        yield invalid("ip_override", "It is an IP address.", REFERENCE)
    elif address and location:
        yield advice("ip_override", "It is not looked at beside a user_location.")


_PLACES = {
    "city": pattern_from(r".+"),
    "region_id": pattern_from(r"[A-Z]{2}-[A-Z0-9]{1,3}"),
    "country_id": pattern_from(r"[A-Z]{2}"),
    "subcontinent_id": pattern_from(r"[0-9]{3}"),
    "continent_id": pattern_from(r"[0-9]{3}"),
}


def _device(body: Mapping[str, Any]) -> Iterator[Finding]:
    device = body.get("device")
    yield from strangers("device", device, DEVICE)
    for name, value in known_fields(device, DEVICE):
        if not isinstance(value, str) or (
            name == "category" and value not in DEVICE_CATEGORIES
        ):
            yield invalid(f"device.{name}", DEVICE[name].meaning, REFERENCE)
    if not device:
        return
    if body.get("user_agent"):
        yield advice("user_agent", "It is not looked at beside a device.")
    if isinstance(device, Mapping) and not device.get("category"):
        message = "A device should name its category."
        yield advice("device.category", message)


def _user_properties(properties: Any, now: float | None) -> Iterator[Finding]:
    if properties is None:
        return
    if not isinstance(properties, Mapping):
        yield invalid("user_properties", "They are an object.", _USER_PROPERTIES)
        return
    if len(properties) > MOST_USER_PROPERTIES:
        message = f"A request takes {MOST_USER_PROPERTIES} user properties."
        yield Finding(
            "EXCEEDED_MAX_ENTITIES", "user_properties", message, _USER_PROPERTIES
        )
    for name, prop in properties.items():
        field = f"user_properties.{name}"
        if name in RESERVED_USER_PROPERTIES or name.startswith(
            RESERVED_USER_PROPERTY_PREFIXES
        ):
            message = "The name is reserved."
            yield Finding("NAME_RESERVED", field, message, REFERENCE)
        elif len(name) > LONGEST_USER_PROPERTY_NAME:
            message = f"A name has up to {LONGEST_USER_PROPERTY_NAME} characters."
            yield Finding("NAME_INVALID", field, message, LIMITATIONS)
        if not isinstance(prop, Mapping) or "value" not in prop:
            message = "A user property is an object with a value."
            yield invalid(field, message, _USER_PROPERTIES)
            continue
        yield from check_value(field, prop["value"], None, LONGEST_USER_PROPERTY)
        yield from check_time(
            f"{field}.timestamp_micros", prop.get("timestamp_micros"), now
        )


# Events


def check_event(
    event: Any,
    index: int = 0,
    now: float | None = None,
    *,
    app: bool = False,
    longest: int = LONGEST_VALUE,
) -> Iterator[Finding]:
    """Check one event, the *index*-th of its request, values up to *longest*."""
    if not isinstance(event, Mapping):
        message = "An event is an object."
        yield Finding("VALUE_INVALID", "events", message, REFERENCE, True, False)
        return
    for name in event:
        if name not in ("name", "params", "timestamp_micros"):
            message = f"An event has no field {name[:LONGEST_NAME]!r}."
            yield Finding("VALUE_INVALID", name, message, REFERENCE, True, False)
    if index >= MOST_EVENTS:
        message = f"A request takes {MOST_EVENTS} events."
        yield Finding("EXCEEDED_MAX_ENTITIES", "events", message, LIMITATIONS, True)
    yield from _event_name(event.get("name"), app)
    yield from check_time("timestamp_micros", event.get("timestamp_micros"), now)
    parameters = event.get("params", {})
    if not isinstance(parameters, Mapping):
        yield invalid("params", "The parameters are an object.", REFERENCE)
        return
    yield from _parameters(parameters, longest, now)
    yield from _needs(str(event.get("name")), parameters)


def _event_name(name: Any, app: bool) -> Iterator[Finding]:
    if not isinstance(name, str) or not name:
        message = "An event needs a name."
        yield Finding("VALUE_REQUIRED", "name", message, REFERENCE, True, False)
        return
    if name in RESERVED_EVENTS or name.startswith(RESERVED_PREFIXES):
        message = f"The name {name[:LONGEST_NAME]!r} is reserved."
        yield Finding("NAME_RESERVED", "name", message, REFERENCE, True, False)
    elif not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        message = (
            "It begins with a letter and has up to 40 letters, digits and underscores."
        )
        yield Finding("NAME_INVALID", "name", message, LIMITATIONS, True)
    elif name in APP_EVENTS and not app:
        message = f"{name} belongs to app streams."
        yield Finding("NAME_INVALID", "name", message, EVENT_REFERENCE, True)


def _parameters(
    parameters: Mapping[str, Any], longest: int, now: float | None
) -> Iterator[Finding]:
    if len(parameters) > MOST_PARAMETERS:
        message = (
            f"An event takes {MOST_PARAMETERS} parameters, here {len(parameters)}."
        )
        yield Finding("EXCEEDED_MAX_ENTITIES", "params", message, LIMITATIONS)
    for name, value in parameters.items():
        if name in RESERVED_PARAMETERS or name.startswith(RESERVED_PREFIXES):
            yield Finding("NAME_RESERVED", name, "The name is reserved.", REFERENCE)
        elif not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            message = "A name begins with a letter and has up to 40 of A-Z a-z 0-9 _."
            yield Finding("NAME_INVALID", name, message, LIMITATIONS)
        if name == "items":
            yield from _items(value, longest)
        elif name == "timestamp_micros":
            yield from check_time(name, value, now)
        else:
            bound = max(LONGEST_VALUES.get(name, 0), longest)
            yield from check_value(name, value, PARAMETERS.get(name), bound)


def _items(items: Any, longest: int) -> Iterator[Finding]:
    if not isinstance(items, list):
        yield invalid("items", "The items are a list.", EVENT_REFERENCE)
        return
    if len(items) > MOST_ITEMS:
        message = f"An event takes {MOST_ITEMS} items, here {len(items)}."
        yield Finding("EXCEEDED_MAX_ENTITIES", "items", message, EVENT_REFERENCE)
    for number, item in enumerate(items):
        place = f"items[{number}]"
        if not isinstance(item, Mapping):
            yield invalid(place, "An item is an object.", EVENT_REFERENCE)
            continue
        if not (item.get("item_id") or item.get("item_name")):
            message = "An item needs item_id or item_name."
            yield Finding("VALUE_REQUIRED", place, message, EVENT_REFERENCE)
        own = [name for name in item if name not in ITEM]
        if len(own) > MOST_ITEM_PARAMETERS:
            message = f"An item takes {MOST_ITEM_PARAMETERS} parameters of your own."
            yield Finding("EXCEEDED_MAX_ENTITIES", place, message, EVENT_REFERENCE)
        for name, value in item.items():
            yield from check_value(f"{place}.{name}", value, ITEM.get(name), longest)


def _needs(name: str, parameters: Mapping[str, Any]) -> Iterator[Finding]:
    """Say what the event cannot do without."""
    if not parameters.get("session_id"):
        message = "Without it the event belongs to no session, and Realtime to no user."
        yield advice("session_id", message)
    if parameters.get("engagement_time_msec") is None:
        message = "Without it the visitor does not count as active."
        yield advice("engagement_time_msec", message)
    words = EVENTS.get(name)
    if words is None:
        return
    for needed in sorted(words.required):
        if parameters.get(needed) in (None, "", []):
            message = f"{name} needs it."
            yield Finding("VALUE_REQUIRED", needed, message, EVENT_REFERENCE)
    if (
        "currency" in words.parameters
        and parameters.get("value") is not None
        and not parameters.get("currency")
    ):
        message = "A value without its currency does not count as revenue."
        yield Finding("VALUE_REQUIRED", "currency", message, EVENT_REFERENCE)
    if parameters.get("transaction_id") == "":
        message = "All orders with an empty number would count as one."
        yield invalid("transaction_id", message, "Analytics Help 12313109")
