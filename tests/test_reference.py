"""What says each parameter is found out, not written down."""

import json
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import msgspec
import pytest

from server_tracking.hits import Consent, Hit, ProductAction, Purchase, Timing
from server_tracking.reference.report import as_json, as_markdown, as_text, said_by
from server_tracking.reference.rows import Row, Source, rows_of
from server_tracking.reference.variants import (
    bare_hits,
    full_hits,
    other_values,
    variants,
)
from server_tracking.systems import (
    GoatCounter,
    ParameterRow,
    Plausible,
    discovered_systems,
)

PAGE = Path(__file__).parents[1] / "docs" / "parameters.md"


@pytest.fixture(scope="module")
def tables():
    kinds = {kind.name: kind for kind in discovered_systems().values()}
    return {name: rows_of(kinds[name]) for name in sorted(kinds)}


def said(tables, system, name):
    [row] = [row for row in tables[system] if row.name == name]
    return said_by(row)


@pytest.mark.parametrize(
    ("system", "name", "by"),
    [
        # A field of any hit, and one that only some kinds have.
        ("universal_analytics", "dt", "Hit.context.page.title"),
        ("plausible", "referrer", "Hit.context.page.referrer"),
        ("matomo", "pf_srv", "PageView.server_ms"),
        ("google_analytics_4", "server_ms", "PageView.server_ms"),
        ("matomo", "_rcn", "Purchase.context.campaign.name"),
        # What arrives changed: hashed, as a flag, in other units, split in two.
        ("matomo", "cid", "Hit.context.visitor.client_id"),
        ("universal_analytics", "qt", "Hit.time"),
        ("universal_analytics", "ni", "Event.non_interaction"),
        ("posthog", "$screen_height", "Hit.context.device.screen_resolution"),
        ("google_analytics_4", "items[<n>].item_category2", "Item.category"),
        # One where the other is absent.
        ("umami", "url", "Hit.context.page.url, else Hit.context.page.path"),
        ("universal_analytics", "dh", "Hit.context.page.host"),
        # Options, alone and with a field.
        ("universal_analytics", "tid", "option tracking_id"),
        ("google_analytics_4", "debug_mode", "option debug"),
        ("goatcounter", "language", "Hit.context.device.language with option language"),
        ("matomo", "cra", "ExceptionHit.description with option crashes"),
        # The site's own names.
        ("plausible", "props.<name>", "Hit.params"),
        (
            "google_analytics_4",
            "user_properties.<name>.value",
            "Hit.params with option user_properties",
        ),
        (
            "google_analytics_4",
            "term",
            "Hit.context.campaign.term with option campaign_parameters",
        ),
        # What no field decides.
        ("universal_analytics", "v", "the library"),
    ],
)
def test_a_parameter_is_traced_to_what_says_it(tables, system, name, by):
    assert said(tables, system, name) == by


def test_every_row_is_said_by_something(tables):
    for rows in tables.values():
        assert [row.name for row in rows if said_by(row) == "not sent"] == []


def test_no_parameter_has_two_rows(tables):
    for system, rows in tables.items():
        names = [row.name for row in rows]
        assert len(names) == len(set(names)), system


def test_what_is_heard_is_in_the_table_that_a_system_lists(tables):
    for kind in discovered_systems().values():
        if hasattr(kind, "parameter_table"):
            listed = {row.name for row in kind.parameter_table()}
            assert {row.name for row in tables[kind.name]} == listed


def test_the_page_of_the_docs_is_what_the_command_prints(tables):
    assert PAGE.read_text("utf-8") == as_markdown(tables), "run make docs-tables"


class Listing(GoatCounter, frozen=True):
    """A system that lists its protocol, with more than it says by itself."""

    name: ClassVar[str] = "goatcounter"

    @classmethod
    def parameter_table(cls):
        yield ParameterRow("location", "the country", "")
        yield ParameterRow("title", "what the page is called", "")
        yield ParameterRow("shoe_size", "of the visitor", "no server knows it")
        yield ParameterRow("path=Purchase", "a name that a kind of hit has", "")
        yield ParameterRow("path=Product: Add to basket", "one that an action has", "")
        yield ParameterRow("path=Signup", "one that nothing has by itself", "")


def test_a_system_that_lists_its_protocol_gets_its_own_rows_first():
    first, title, shoes, *values = rows_of(Listing)[:6]

    assert (first.name, said_by(first)) == ("location", "extra=")
    assert title.meaning == "what the page is called"
    assert said_by(title) == "PageView.context.page.title"
    assert said_by(shoes) == "no server knows it"
    assert [said_by(row) for row in values] == [
        "Purchase",
        'ProductAction("add")',
        "Event.category",
    ]
    assert "path" in {row.name for row in rows_of(Listing)[6:]}


# Variants


def leaves(value):
    """Yield what a hit holds, but for its raw parameters."""
    for name in value.__struct_fields__:
        inner = getattr(value, name)
        if isinstance(inner, msgspec.Struct):
            yield from leaves(inner)
        elif name != "extra":
            yield inner


def test_full_hits_have_every_field_filled():
    for hit in full_hits():
        assert None not in list(leaves(hit))
        assert hit.context.consent == Consent(True, True, True)
        for item in getattr(hit, "items", ()):
            assert None not in list(leaves(item))


def test_full_hits_are_of_every_kind_and_every_product_action():
    hits = full_hits()

    assert {type(hit) for hit in hits} == set(Hit.__args__)
    actions = {hit.action for hit in hits if isinstance(hit, ProductAction)}
    assert len(actions) == 8


def test_a_variant_differs_in_one_field_and_names_it():
    [hit] = [hit for hit in full_hits() if isinstance(hit, Timing)]
    named = {variant.path: variant.hit for variant in variants(hit)}

    assert named["value"] == msgspec.structs.replace(hit, value=hit.value + 1)
    assert named["context.visitor.user_id"].context.page == hit.context.page
    assert not any(path.startswith("extra") for path in named)
    assert {"id", "time", "category", "variable", "label", "params"} <= named.keys()


def test_an_item_stands_for_all_items():
    [hit] = [hit for hit in full_hits() if isinstance(hit, Purchase)]

    paths = {variant.path for variant in variants(hit)}

    assert {"Item.id", "Item.price", "Item.position"} <= paths
    assert not any(path.startswith("items") for path in paths)


def test_a_bare_hit_can_be_varied_too():
    for hit in bare_hits():
        paths = {variant.path for variant in variants(hit)}
        assert 'context.campaign.click_ids["gclid"]' in paths
        assert "context.page.host" in paths


@pytest.mark.parametrize(
    ("value", "hint", "others"),
    [
        (True, bool, [False]),
        (True, bool | None, [False, None]),
        (None, bool | None, [True, None]),
        (3, int, [4]),
        (None, int | None, [3]),
        (Decimal("1.50"), Decimal | None, [Decimal("2.50")]),
        (UUID(int=1), UUID, [UUID(int=2)]),
        (None, str | None, ["some text"]),
        ("1920x1080", str, ["2920x1080", "1920x1081"]),
        ("en-GB", str, ["fn-GB", "eo-GB", "en-GC"]),
        ("", str, []),
        (
            "https://a.example/b?c=d",
            str,
            [
                "https://m.a.example/b?c=d",
                "https://a.example/b/more?c=d",
                "https://a.example/b?c=ds",
            ],
        ),
    ],
)
def test_other_values_keep_the_form(value, hint, others):
    assert list(other_values(value, hint)) == others


# Reports

ROWS = [
    Row("a|b", "One.", (Source("Event.label"), Source("Event.action", spare=True))),
    Row("c", "Two.", (Source("Hit.params", "dimensions"),)),
    Row("d", "Three.", (Source(option="debug"),)),
    Row("e", "Four.", own=True, extra=True),
    Row("f", "Five.", extra=True),
    Row("g", "Six.", extra=True, note="not read since 2019"),
    Row("h", "Seven."),
]
SAID = [
    "Event.label, else Event.action",
    "Hit.params with option dimensions",
    "option debug",
    "the library",
    "extra=",
    "not read since 2019",
    "not sent",
]


def test_rows_are_said_in_words():
    assert [said_by(row) for row in ROWS] == SAID


def test_the_text_is_aligned_and_counts():
    head, _, *lines = as_text({"mine": ROWS}).splitlines()

    assert head == (
        "mine: 7 parameters: 2 from fields of hits, 1 from options, 1 by the library "
        "itself, 1 by extra=, 2 not sent."
    )
    column = lines[0].index("Said by")
    assert [line[column:] for line in lines[2:]] == SAID


def test_markdown_keeps_its_columns():
    page = as_markdown({"mine": ROWS})

    assert "| `a\\|b` | One. | `Event.label`, else `Event.action` |" in page
    assert "| `d` | Three. | option `debug` |" in page
    assert "## mine" in page


def test_json_tells_all_that_is_known():
    [system] = json.loads(as_json({"mine": ROWS}))["systems"]

    assert system["system"] == "mine"
    assert [row["name"] for row in system["parameters"]] == [row.name for row in ROWS]
    assert system["parameters"][1]["sources"] == [
        {"field": "Hit.params", "option": "dimensions", "spare": False}
    ]


def test_one_system_alone_is_found_as_among_all(tables):
    assert rows_of(Plausible) == tables["plausible"]
