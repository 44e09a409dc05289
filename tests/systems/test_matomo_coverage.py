"""Every parameter that Matomo's tracker knows, on the wire.

The rows are those of our notes on the Tracking HTTP API (`tests/data/matomo.json`).
"""

import json
from decimal import Decimal
from pathlib import Path
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
    Session,
    Visitor,
)
from server_tracking.inspector.protocols.matomo import PROTOCOL
from server_tracking.systems.matomo import Matomo
from server_tracking.systems.matomo.parameters import PARAMETERS, DimensionUrlGenerator

NOW = 1_790_000_000.0
ROWS = json.loads(
    (Path(__file__).parents[1] / "data" / "matomo.json").read_text("utf-8")
)
NAMES = [row["parameter"] for row in ROWS]
SYSTEM = Matomo(
    "https://matomo.example.org/",
    1,
    token="0123456789abcdef0123456789abcdef",
    dimensions={"plan": 7},
    bots="record",
    crashes=True,
)
CONTEXT = Context(
    visitor=Visitor("1.1790000000", "u-1"),
    session=Session(1_790_000_000),
    page=Page(
        url="https://shop.example/fern",
        title="Fern",
        referrer="https://www.example.org/",
    ),
    campaign=Campaign(name="spring", term="ferns"),
    device=Device("Mozilla/5.0", "de", "1920x1080"),
    address="203.0.113.0",
)
FERN = Item(id="F", name="Fern", category="Plants", price=Decimal(5))


def hit(kind, **fields):
    return kind(**{"context": CONTEXT, "id": UUID(int=1), "time": NOW, **fields})


VIEW = hit(PageView, server_ms=5, params={"plan": "pro", "http_status": 200})
SEARCH = hit(
    PageView, params={"search": "a", "search_category": "b", "search_count": 1}
)
EVENT = hit(Event, category="a", action="b", label="c", value=1)
ERROR = hit(ExceptionHit, description="LookupError")
ORDER = hit(
    Purchase, transaction_id="1", items=(FERN,), tax=Decimal(1), shipping=Decimal(1)
)
LOOK = hit(ProductAction, action="view", items=(FERN,))

# What hits of the library say by themselves.
BY_HITS = [
    (
        VIEW,
        [
            "idsite",
            "rec",
            "apiv",
            "url",
            "urlref",
            "cid",
            "uid",
            "ua",
            "lang",
            "res",
            "cdt",
            "cip",
            "action_name",
            "pv_id",
            "pf_srv",
            "dimension{N}",
            "recMode",
            "http_status",
            "source",
            "requests",
            "token_auth (top level)",
        ],
    ),
    (SEARCH, ["search", "search_cat", "search_count"]),
    (EVENT, ["e_c", "e_a", "e_n", "e_v", "ca"]),
    (ERROR, ["cra"]),
    (
        ORDER,
        [
            "idgoal",
            "ec_id",
            "ec_items",
            "revenue",
            "ec_st",
            "ec_tx",
            "ec_sh",
            "_rcn",
            "_rck",
        ],
    ),
    (LOOK, ["_pks", "_pkn", "_pkc", "_pkp"]),
]
# What the site may know, said with extra=, each with a value that is right.
BY_EXTRA = {
    "_id": "0123456789abcdef",
    "rand": "123456",
    "r": "123456",
    "h": 14,
    "m": 13,
    "s": 20,
    "uadata": {"brands": [], "mobile": False},
    "new_visit": 1,
    "_cvar": {"1": ["plan", "pro"]},
    "cvar": {"1": ["plan", "pro"]},
    "e_cvar": {"1": ["plan", "pro"]},
    **dict.fromkeys(
        ["fla", "java", "qt", "realp", "pdf", "wma", "ag", "dir", "gears", "cookie"], 1
    ),  # reported by the site's own script
    "_refts": 1_790_000_000,
    "_ref": "https://www.example.org/",
    "link": "https://example.net/",
    "download": "https://shop.example/a.pdf",
    "cs": "utf-8",
    **dict.fromkeys(["pf_net", "pf_tfr", "pf_dm1", "pf_dm2", "pf_onl"], 12),
    "c_n": "Banner",
    "c_p": "spring.png",
    "c_t": "https://shop.example/spring",
    "c_i": "click",
    "ec_dt": "2.50",
    "token_auth": "fedcba9876543210fedcba9876543210",
    "cdo": 5,
    "country": "at",
    "region": "9",
    "city": "Wien",
    "lat": "48.208174",
    "long": "16.373819",
    "ma_id": "a1",
    "ma_re": "https://shop.example/film.mp4",
    "ma_mt": "video",
    "ma_ti": "How to water",
    "ma_pn": "html5",
    "ma_st": 5,
    "ma_le": 60,
    "ma_ps": 5,
    "ma_ttp": 1,
    "ma_w": 640,
    "ma_h": 480,
    "ma_fs": 0,
    "ma_se": "0,5",
    "cra_st": "at line 1",
    "cra_ct": "checkout",
    "cra_tp": "LookupError",
    "cra_ru": "https://shop.example/app.js",
    "cra_rl": 1,
    "cra_rc": 2,
    "bots": 1,
    "bw_bytes": 5120,
    "send_image": "0",
    "ping": 1,
    "queuedtracking": 0,
    "debug": 1,
    "dp": 1,
    "consent": 1,
    "data": {"a": 1},
}
NOT_SAID = {
    "send_image (top level)": "would hide the counts that tell what was refused",
    "tracker_install_check": "a nonce that only Matomo's own page and script know",
    **dict.fromkeys(
        ["_idvc", "_idts", "_viewts", "_ects", "_idn", "gt_ms"],
        "not read since Matomo 4",
    ),
}


def test_each_row_is_said_once_or_has_its_reason():
    said = [name for _, names in BY_HITS for name in names]

    assert sorted([*said, *BY_EXTRA, *NOT_SAID]) == sorted(NAMES)
    assert len(NAMES) == len(set(NAMES)) == 122


def wire_of(one):
    [call] = SYSTEM.encode([one], NOW)
    body = json.loads(call.body)
    [request] = body["requests"]
    return body, request


@pytest.mark.parametrize(
    ("one", "name"), [(one, name) for one, names in BY_HITS for name in names]
)
def test_hits_say_it(one, name):
    body, request = wire_of(one)

    if name == "requests":
        assert request
    elif name == "token_auth (top level)":
        assert body["token_auth"] == SYSTEM.token
    else:
        assert request[name.replace("{N}", "7")]


@pytest.mark.parametrize("name", BY_EXTRA)
def test_extra_says_it(name):
    value = BY_EXTRA[name]

    _, request = wire_of(hit(PageView, extra={"matomo": {name: value}}))

    told = request[name]
    assert (json.loads(told) if isinstance(value, dict) else told) == (
        value if isinstance(value, dict) else str(value)
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_row_is_in_the_table_of_parameters(name):
    if name == "dimension{N}":
        assert DimensionUrlGenerator.meta.custom_prefix == "dimension"
    elif name not in ("requests", "token_auth (top level)", "send_image (top level)"):
        assert PARAMETERS[name].meaning


def test_nothing_that_is_said_is_complained_of():
    for name, value in BY_EXTRA.items():
        together = {
            "c_i": {"c_n": "Banner"},
            "ma_id": {"ma_re": "https://x.example/", "ma_mt": "video"},
        }.get(name, {})
        extra = {"matomo": {**together, name: value}}
        one = hit(PageView, extra=extra, params={"http_status": 200})
        found = {problem.field for problem in Matomo.example().problems(one)}

        assert found == set(), name


def test_the_inspector_knows_what_each_of_our_parameters_means():
    assert PROTOCOL.system == "matomo"
    for one, _ in BY_HITS:
        _, request = wire_of(one)
        for name in request:
            assert name in PARAMETERS or name == "dimension7"
