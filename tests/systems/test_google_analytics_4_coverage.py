"""Every field, event and parameter that the protocol knows, on the wire.

Each row of the protocol's table is shown in a request that we make, or stands in
`NOT_SENT` with the reason why a server cannot send it.
"""

import json
import re
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from server_tracking.errors import ConfigurationError
from server_tracking.hits import (
    Consent,
    Context,
    Device,
    Event,
    ExceptionHit,
    Item,
    Page,
    PageView,
    ProductAction,
    Purchase,
    Refund,
    Session,
    Social,
    Visitor,
)
from server_tracking.inspector.protocols import Received
from server_tracking.inspector.protocols.google_analytics_4 import PROTOCOL
from server_tracking.systems.google_analytics_4 import GoogleAnalytics4, tables
from server_tracking.systems.google_analytics_4.user_data import user_data_from

TABLE = json.loads(
    (Path(__file__).parent.parent / "data" / "google_analytics_4.json").read_text(
        "utf-8"
    )
)
NOW = 1_790_000_100.0
CONTEXT = Context(
    visitor=Visitor("7.1780000000", "u-1"),
    session=Session(id=1_790_000_000),
    page=Page(
        url="https://example.org/", title="Home", referrer="https://example.com/"
    ),
    device=Device("Mozilla/5.0", "de", "800x600"),
    address="192.0.2.0",
    consent=Consent(True, ad_user_data=True),
)
ITEM = {
    name: {"number": 1, "text": "text", "currency": "EUR"}[field.kind]
    for name, field in tables.ITEM.items()
}
NOT_SENT = {
    "app_instance_id": "names the installation of an app; only Firebase in the app"
    " knows it, and web streams take a client_id",
    "ad_impression": "belongs to app streams",
    "in_app_purchase": "belongs to app streams",
    "screen_view": "belongs to app streams; a web stream gets view_screen",
}


def told(hit, **options):
    """The request of *hit*, which the inspector has to take without complaint."""
    system = GoogleAnalytics4("G-1", "s", **options)
    [call] = system.encode([hit], NOW)
    parts = urlsplit(call.url)
    received = Received("POST", parts.path, parts.query, {}, call.body, time=NOW)
    assert [p for h in PROTOCOL.decode(received) for p in h.problems] == []
    return json.loads(call.body)


def paths(value, place=""):
    """Every path in *value*, written as in the table: ``events[].params.items``."""
    if place:
        yield place
    if isinstance(value, dict):
        for name, inner in value.items():
            key = "<name>" if place == "user_properties" else name
            yield from paths(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{place}[]")


ADDRESS = dict.fromkeys(
    ("first_name", "last_name", "street", "city", "region", "postal_code"), "Berlin"
)
FULL = {
    "items": [ITEM],
    "currency": "EUR",
    "timestamp_micros": round(NOW * 1_000_000),
    "non_personalized_ads": True,
    "user_properties": {
        "plan": {"value": "gold", "timestamp_micros": 1_790_000_000_000_000}
    },
    "user_data": user_data_from(
        emails=["a@example.org"],
        phones=["+49301234567"],
        addresses=[{**ADDRESS, "country": "DE"}],
    ),
    "user_location": {
        "city": "Berlin",
        "region_id": "DE-BE",
        "country_id": "DE",
        "subcontinent_id": "155",
        "continent_id": "150",
    },
    "device": {
        **dict.fromkeys(tables.DEVICE, "text"),
        "category": "desktop",
    },
}
REQUESTS = [
    told(Event(context=CONTEXT, time=NOW, category="A"), debug=True),
    told(Event(context=CONTEXT, time=NOW, category="A", extra={"ga4": FULL})),
    json.loads(
        GoogleAnalytics4.example()
        .validation_call(PageView(context=CONTEXT, time=NOW), NOW)
        .body
    ),
]
SAID = {path for request in REQUESTS for path in paths(request)}


@pytest.mark.parametrize("row", TABLE["body_fields"], ids=lambda row: row["name"])
def test_every_body_field_is_sent_or_named(row):
    name = row["name"]

    assert (name in SAID) != (name in NOT_SENT)


PLACES = {
    "consent": "consent.",
    "user_location": "user_location.",
    "device": "device.",
}


@pytest.mark.parametrize(
    ("place", "name"),
    [
        *(
            (PLACES[key] + row["name"], row["name"])
            for key in PLACES
            for row in TABLE[key]["fields"]
        ),
        *(
            ("user_data." + row["name"], row["name"])
            for row in TABLE["user_data"]["fields"]
        ),
        *(
            ("events[].params.items[]." + row["name"], row["name"])
            for key in ("item_params", "item_params_extra")
            for row in TABLE[key]
        ),
    ],
)
def test_every_field_within_a_field_is_sent(place, name):
    assert place in {path.replace("address[]", "address") for path in SAID} | SAID, name


# Events

PRODUCT = Item(id="P", name="Fern", price=Decimal("1.5"))
SHARED = {"context": CONTEXT, "time": NOW}
ACTION = {**SHARED, "items": (PRODUCT,), "currency": "EUR"}
ORDER = {
    **ACTION,
    "transaction_id": "T",
    "revenue": Decimal(9),
    "tax": Decimal(1),
    "shipping": Decimal(2),
    "coupon": "C",
}
CREATIVE = {"creative_name": "N", "creative_slot": "S"}
NEUTRAL = {
    "page_view": PageView(**SHARED),
    "exception": ExceptionHit(**SHARED, description="KeyError"),
    "share": Social(
        **SHARED, network="X", action="Share", target="/", params={"content_type": "a"}
    ),
    "purchase": Purchase(**ORDER, params={"customer_type": "new"}),
    "refund": Refund(**ORDER),
    "view_item_list": ProductAction(
        **ACTION, action="impression", list_name="New", params={"item_list_id": "L"}
    ),
    "select_item": ProductAction(
        **ACTION, action="click", list_name="New", params={"item_list_id": "L"}
    ),
    "view_item": ProductAction(**ACTION, action="view"),
    "add_to_cart": ProductAction(**ACTION, action="add"),
    "remove_from_cart": ProductAction(**ACTION, action="remove"),
    "begin_checkout": ProductAction(
        **ACTION, action="checkout", params={"coupon": "C"}
    ),
    "add_shipping_info": ProductAction(
        **ACTION, action="checkout", step=2, option="Fast", params={"coupon": "C"}
    ),
    "add_payment_info": ProductAction(
        **ACTION, action="checkout", step=3, option="Card", params={"coupon": "C"}
    ),
    "view_promotion": ProductAction(**ACTION, action="promotion_view", params=CREATIVE),
    "select_promotion": ProductAction(
        **ACTION, action="promotion_click", params=CREATIVE
    ),
}
STEPS = {"Checkout: 2": "add_shipping_info", "Checkout: 3": "add_payment_info"}


def sample(parameter):
    if parameter["name"] == "currency":
        return "EUR"
    kinds = {"number": 5, "boolean": True, "string|boolean": True, "string": "text"}
    return kinds[parameter["type"]]


def hit_for(event):
    """A neutral hit if there is one, else an event with the site's own parameters."""
    if event["name"] in NEUTRAL:
        return NEUTRAL[event["name"]]
    given = [p for p in event["params"] if p["name"] != "items"]
    return Event(
        **SHARED,
        category="Something",
        params={parameter["name"]: sample(parameter) for parameter in given},
        extra={"ga4": {"items": [{"item_id": "P"}]}} if event["items"] else {},
    )


@pytest.mark.parametrize("event", TABLE["events"], ids=lambda event: event["name"])
def test_every_event_is_sent_with_all_its_parameters_or_named(event):
    names = {**STEPS, "Something": event["name"]}
    if event["name"] in NOT_SENT:
        with pytest.raises(ConfigurationError, match="app streams"):
            GoogleAnalytics4("G-1", "s", event_names=names)
        return

    [said] = told(hit_for(event), event_names=names)["events"]

    assert said["name"] == event["name"]
    assert {parameter["name"] for parameter in event["params"]} <= set(said["params"])


def test_there_are_48_events_and_23_body_fields():
    assert len(TABLE["events"]) == TABLE["meta"]["counts"]["events"] == 48
    assert len(TABLE["body_fields"]) == TABLE["meta"]["counts"]["body_fields"] == 23


# What the code knows is what the table says.


def test_events_have_the_parameters_of_the_table():
    known = {
        name: (words.stream, set(words.parameters), set(words.required))
        for name, words in tables.EVENTS.items()
    }

    assert known == {
        event["name"]: (
            {"web+app": "both"}.get(event["stream"], event["stream"]),
            {parameter["name"] for parameter in event["params"]},
            {p["name"] for p in event["params"] if p["required"] is True},
        )
        for event in TABLE["events"]
    }


def test_parameters_are_of_the_kind_of_the_table():
    kinds = {
        "number": {"number"},
        "boolean": {"flag"},
        "string|boolean": {"flag"},
        "string": {"text", "currency", "url"},
        "array<item>": {"items"},
    }
    for event in TABLE["events"]:
        for parameter in event["params"]:
            kind = tables.PARAMETERS[parameter["name"]].kind
            assert kind in kinds[parameter["type"]], parameter["name"]
    for row in TABLE["item_params"]:
        assert tables.ITEM[row["name"]].kind in kinds[row["type"]]


def test_reserved_names_are_those_of_the_table():
    assert set(TABLE["reserved_event_names"]) == tables.RESERVED_EVENTS
    assert tuple(TABLE["reserved_parameter_prefixes"]) == tables.RESERVED_PREFIXES
    assert set(TABLE["reserved_user_property_names"]) == tables.RESERVED_USER_PROPERTIES
    assert (
        tuple(TABLE["reserved_user_property_prefixes"])
        == tables.RESERVED_USER_PROPERTY_PREFIXES
    )
    other = TABLE["reserved_other"]
    assert set(other["app_stream_only_events"]) == tables.APP_EVENTS
    assert set(other["reserved_parameter_names"]) == tables.RESERVED_PARAMETERS


LIMITS = [
    ("events_per_request", tables.MOST_EVENTS),
    ("params_per_event", tables.MOST_PARAMETERS),
    ("user_properties_per_request", tables.MOST_USER_PROPERTIES),
    ("event_name_max", tables.LONGEST_NAME),
    ("param_name_max", tables.LONGEST_NAME),
    ("user_property_name_max", tables.LONGEST_USER_PROPERTY_NAME),
    ("user_property_value_max", tables.LONGEST_USER_PROPERTY),
    ("user_id_max", tables.LONGEST_USER_ID),
    ("items_max", tables.MOST_ITEMS),
]


@pytest.mark.parametrize(("name", "limit"), LIMITS)
def test_limits_are_those_of_the_table(name, limit):
    assert TABLE["event_limits"][name] == limit


def test_lengths_and_times_are_those_of_the_table():
    limits = TABLE["event_limits"]

    assert limits["param_value_max"] == {
        "standard": tables.LONGEST_VALUE,
        "analytics_360": tables.LONGEST_VALUE_360,
    }
    exceptions = limits["param_value_exceptions"]
    assert {n: exceptions[n] for n in tables.LONGEST_VALUES} == tables.LONGEST_VALUES
    assert limits["backdate_hours"] * 3600 == tables.OLDEST
    assert re.search("130000", limits["body_max_bytes"])
    assert tables.LARGEST_BODY == 129_999
    for name in ("event_name_pattern", "param_name_pattern"):
        assert limits[name] == f"^{tables.NAME.pattern}$"


def test_every_field_of_the_table_has_a_meaning():
    for row in TABLE["body_fields"]:
        if re.fullmatch(r"[a-z_]+", row["name"]):
            assert tables.BODY[row["name"]].meaning
