"""Every parameter of Measurement Protocol v1, on the wire.

`google_universal.json` has a row for each. A hit says it of itself (TOLD), or it is
sent through ``extra=`` with the parameter class that has it (RAW): what a site would
not know of a visitor, or what only browsers, apps and plain orders have.
"""

import json
import re
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest

from server_tracking.hits import (
    Campaign,
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
    ScreenView,
    Session,
    Social,
    Timing,
    Visitor,
)
from server_tracking.parameters import UP, VP
from server_tracking.systems.universal_analytics import UniversalAnalytics
from server_tracking.systems.universal_analytics import parameters as ua
from server_tracking.systems.universal_analytics.tables import TABLE

ROWS = json.loads(
    (Path(__file__).parent.parent / "data" / "google_universal.json").read_text("utf-8")
)
NOW = 1_790_000_000.0
CONTEXT = Context(
    visitor=Visitor("6f1d2c0e.1780000000", user_id="user-48213"),
    session=Session(1_789_999_000),
    page=Page(
        url="https://shop.example/cart?step=1",
        title="Your cart",
        referrer="https://news.example/post",
        encoding="UTF-8",
    ),
    campaign=Campaign(
        source="newsletter",
        medium="email",
        name="spring_launch",
        term="running shoes",
        content="top banner",
        id="c-901",
        click_ids={"gclid": "TeSter-abc123", "dclid": "disp-77a1"},
    ),
    device=Device("Mozilla/5.0", "de-de", "1920x1080", "1280x720", "24-bit"),
    address="203.0.113.7",
)
PARTS = Context(
    visitor=CONTEXT.visitor,
    session=CONTEXT.session,
    page=Page(host="shop.example", path="/cart?step=1"),
)
LAMP = Item(
    id="LAMP-7",
    name="Desk lamp",
    brand="Lumo",
    category="Home/Lighting",
    variant="Brass",
    price=Decimal("22.00"),
    quantity=2,
    coupon="WELCOME10",
    position=3,
)


class Groups(ua.ContentGroupUrlGenerator):
    guides = VP(1)


class ProductDimensions(ua.EnhancedEComCustomDimensionProductParameters):
    wrapping = VP(1)


class ProductMetrics(ua.EnhancedEComCustomMetricProductParameters):
    points = VP(1)


class ShownDimensions(ua.EnhancedEComPICustomDimensionProductParameters):
    wrapping = VP(1)

    class Meta:
        index_prefix = 1


class ShownMetrics(ua.EnhancedEComPICustomMetricProductParameters):
    points = VP(1)

    class Meta:
        index_prefix = 1


class FirstPromotion(ua.EnhancedEComPromotionParameters):
    class Meta:
        index_prefix = 1


def hit(kind, context=CONTEXT, **fields):
    return kind(**{"context": context, "id": UUID(int=7), "time": NOW - 1.5, **fields})


def raw(*generators, hit_type="event"):
    """Make a hit that says, through ``extra=``, what parameter classes say."""
    said = {"t": hit_type, **({} if hit_type == "event" else {"ec": None, "ea": None})}
    for generator in generators:
        said |= generator
    return hit(Event, category="video", action="play", extra={"ua": said})


TOLD = [
    hit(PageView),
    hit(PageView, context=PARTS),
    hit(ScreenView, name="Checkout"),
    hit(
        Event,
        category="video",
        action="play",
        label="intro clip",
        value=42,
        non_interaction=True,
        params={"member": "member", "score": 12.5},
    ),
    hit(ExceptionHit, description="TimeoutError", fatal=False),
    hit(Timing, category="api", variable="login", value=183, label="eu-west"),
    hit(Social, network="mastodon", action="share", target="https://blog.example/a"),
    hit(
        Purchase,
        transaction_id="T-1001",
        items=(LAMP,),
        revenue=Decimal("48.90"),
        tax=Decimal("7.81"),
        shipping=Decimal("4.90"),
        currency="EUR",
        coupon="FREESHIP",
        affiliation="Web shop",
    ),
    hit(Refund, transaction_id="T-1001"),
    hit(ProductAction, action="view", items=(LAMP,), list_name="Bestsellers"),
    hit(ProductAction, action="checkout", items=(LAMP,), step=2, option="Invoice"),
    hit(ProductAction, action="impression", items=(LAMP,), list_name="Bestsellers"),
    hit(
        ProductAction,
        action="promotion_click",
        items=(Item(id="PROMO-4", name="Summer sale", position=2),),
    ),
]

RAW = {
    # wire name: a hit that says it
    "ds": raw({"ds": "backend"}),
    "sc": raw({"sc": "start"}),
    "geoid": raw({"geoid": "DE"}),
    "je": raw(ua.SessionParameters(client_id="1.2", java_enabled=False).url()),
    "fl": raw(ua.SessionParameters(client_id="1.2", flash_version="32 0 r0").url()),
    "xid": raw({"xid": "exp-31", "xvar": "1"}),
    "xvar": raw({"xid": "exp-31", "xvar": "1"}),
    "linkid": raw({"linkid": "footer-login"}),
    "cg<n>": raw(Groups(guides="guides/setup").url()),
    "an": raw(ua.AppTrackingParameters(name="Field Notes").url()),
    **{
        name: raw(
            ua.AppTrackingParameters(
                name="Field Notes",
                app_id="org.example.fieldnotes",
                version="2.4.1",
                installer_id="org.example.store",
            ).url()
        )
        for name in ("aid", "av", "aiid")
    },
    **{
        name: raw(
            ua.EComItemParameters.from_item(
                ua.EComItem("Desk lamp", Decimal(22), 2, "LAMP-7", "Lighting"), "T-1001"
            ).url(),
            hit_type="item",
        )
        for name in ("in", "ip", "iq", "ic", "iv")
    },
    **{
        name: raw(
            ua.TimingParameters(
                user_timing_category="api",
                user_timing_variable="login",
                user_timing_value=183,
                page_load_time=2310,
                dns_time=18,
                page_download_time=140,
                redirect_response_time=25,
                tcp_connect_time=31,
                server_response_time=96,
                dom_interactive_time=870,
                content_load_time=1102,
            ).url(),
            hit_type="timing",
        )
        for name in ("plt", "dns", "pdt", "rrt", "tcp", "srt", "dit", "clt")
    },
    "pr<n>cd<n>": raw(ProductDimensions(wrapping="gift").url(1)),
    "pr<n>cm<n>": raw(ProductMetrics(points=12).url(1)),
    "il<n>pi<n>cd<n>": raw(ShownDimensions(wrapping="gift").url(1)),
    "il<n>pi<n>cm<n>": raw(ShownMetrics(points=12).url(1)),
    "promo<n>cr": raw(FirstPromotion(creative="hero image").url()),
}

OPTIONS = {"dimensions": {"member": 1}, "metrics": {"score": 1}}
POSTING = UniversalAnalytics("UA-123456-1", **OPTIONS)
GETTING = UniversalAnalytics("UA-123456-1", method="GET", **OPTIONS)


def pattern_of(name):
    return re.sub(r"\{[a-z]+\}|[0-9]+", "<n>", name)


def said_in(hits, system=POSTING):
    said = {}
    for call in system.encode(hits, NOW):
        query = call.body.decode() or urlsplit(call.url).query
        for name, value in parse_qsl(query):
            said.setdefault(pattern_of(name), set()).add(value)
    return said


BY_HITS = said_in(TOLD) | {"z": said_in(TOLD, GETTING)["z"]}
IDS = [row["parameter"] for row in ROWS]

# Where the example of the row is not what our hits say.
OTHER_EXAMPLES = {
    "cid": "6f1d2c0e.1780000000",
    "ua": "Mozilla/5.0",
    "z": "7",
    "cd<n>": "member",
    "pa": "purchase",
    "il<n>pi<n>ps": "3",
    "promo<n>ps": "2",
}


def test_there_are_109():
    assert len(ROWS) == len(TABLE) == 109


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_parameter_is_told_by_a_hit_or_through_extra(row):
    pattern = pattern_of(row["parameter"])
    said = BY_HITS if pattern not in RAW else said_in([RAW[pattern]])

    values = {_plain(value) for value in said[pattern]}

    assert _plain(OTHER_EXAMPLES.get(pattern, row["example_value"])) in values


@pytest.mark.parametrize("pattern", sorted(RAW))
def test_what_goes_through_extra_is_told_by_no_hit(pattern):
    assert pattern not in BY_HITS


# Documented as whole numbers; metrics that are set up as currency take decimals.
LOOSER = {"pr<n>cm<n>": "currency", "il<n>pi<n>cm<n>": "currency"}


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_table_says_what_the_reference_says(row):
    pattern = pattern_of(row["parameter"])
    known = TABLE[pattern]
    hit_types = [known.hit_type] if known.hit_type else "all"

    assert known.parameter.type == LOOSER.get(pattern, row["type"])
    assert known.parameter.max_bytes == row["max_bytes"]
    assert sorted(known.parameter.values) == sorted(row.get("values") or [])
    assert known.parameter.minimum == row.get("min")
    assert hit_types == row["hit_types"]
    assert (known.indexes and known.indexes[-1]) == row["index_max"]
    assert (known.indexes is None) == ("<n>" not in pattern)
    assert known.parameter.meaning.endswith(".")


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_example_of_the_reference_fits_the_table(row):
    assert (
        TABLE[pattern_of(row["parameter"])].parameter.problem(row["example_value"])
        is None
    )


def test_the_docs_list_every_parameter():
    page = Path(__file__).parents[2] / "docs" / "systems" / "universal-analytics.md"
    _, _, table = page.read_text("utf-8").partition("## All parameters")

    listed = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)

    assert sorted(listed) == sorted(TABLE)


def test_every_class_has_its_parameters_in_the_table():
    wire_names = {row.parameter.wire_name for row in TABLE.values()}
    for name in ua.__all__:
        for parameter in getattr(getattr(ua, name), "parameters", {}).values():
            assert isinstance(parameter, UP)
            assert parameter.wire_name in wire_names


@pytest.mark.parametrize("hit_type", ua.HIT_TYPES)
def test_each_of_the_eight_hit_types_can_be_made(hit_type):
    url = ua.GeneralParameters(tracking_id="UA-1-1").url(hit_type)

    assert url == {"v": 1, "tid": "UA-1-1", "t": hit_type}


def test_a_ninth_cannot():
    with pytest.raises(ValueError, match="hit_type is none of pageview"):
        ua.GeneralParameters(tracking_id="UA-1-1").url("click")


def _plain(text):
    """Write money without trailing zeros, as we send it."""
    return text.rstrip("0").rstrip(".") if re.fullmatch(r"\d+\.\d+", text) else text
