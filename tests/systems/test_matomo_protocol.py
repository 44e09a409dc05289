"""The receiving side of Matomo: requests as its clients make them."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.inspector.protocols import Received
from server_tracking.inspector.protocols.matomo import PROTOCOL
from server_tracking.systems.matomo import Matomo
from server_tracking.testing.samples import NOW, sample_hits

NOW_TEXT = "2026-09-21 14:15:00"  # NOW of the samples
FORM = "application/x-www-form-urlencoded"
HIT = {
    "idsite": "1",
    "rec": "1",
    "url": "https://shop.example/fern?utm_source=news&mtm_campaign=spring",
    "action_name": "Büro",
    "urlref": "https://www.example.org/",
    "cid": "0123456789abcdef",
    "uid": "u-1",
    "ua": "Mozilla/5.0",
    "lang": "de",
}


def got(parameters, **headers):
    query = parameters if isinstance(parameters, str) else urlencode(parameters)
    return Received("GET", "/matomo.php", query, headers, b"", time=NOW)


def posted(body, query="", kind=FORM):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Received(
        "POST", "/matomo.php", query, {"content-type": kind}, data, time=NOW
    )


def taken(request):
    hits = PROTOCOL.decode(request)
    return hits, PROTOCOL.answer(request, hits)


def changed(**changes):
    return {k: v for k, v in {**HIT, **changes}.items() if v is not None}


def test_a_page_view_is_read():
    [hit], answer = taken(got(HIT))

    assert (hit.kind, hit.path, hit.title) == ("pageview", "/fern", "Büro")
    assert (hit.client_id, hit.user_id) == ("0123456789abcdef", "u-1")
    assert hit.url == HIT["url"]
    assert hit.referrer == "https://www.example.org/"
    assert hit.campaign == "news / spring"
    assert (hit.user_agent, hit.language) == ("Mozilla/5.0", "de")
    assert hit.time == NOW
    assert hit.problems == []
    assert all(parameter.meaning for parameter in hit.parameters)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.body.startswith(b"GIF89a")


def test_what_the_request_says_of_itself_fills_the_gaps():
    headers = {
        "user-agent": "Mozilla/5.0 (X11)",
        "accept-language": "en",
        "x-forwarded-for": "198.51.100.7, 203.0.113.9",
    }

    [hit], _ = taken(got(changed(ua=None, lang=None), **headers))

    assert (hit.user_agent, hit.language) == ("Mozilla/5.0 (X11)", "en")
    assert hit.address == "203.0.113.9"  # since Matomo 5 the last
    assert hit.problems == []


def test_query_and_form_go_together_and_the_query_wins():
    request = posted(
        urlencode(changed(action_name="Form")).encode(), "action_name=Query"
    )

    [hit], _ = taken(request)

    assert (hit.title, hit.path) == ("Query", "/fern")


def test_an_empty_answer_may_be_asked_for():
    _, answer = taken(got(changed(send_image="0")))

    assert (answer.status, answer.body) == (204, b"")


def test_a_bulk_request_is_read_as_objects_texts_and_addresses():
    query = urlencode(changed(action_name="Text"))
    body = {
        "requests": [
            {**HIT, "idsite": 1, "rec": 1},
            f"?{query}",
            f"https://matomo.example.org/matomo.php?{query}",
        ]
    }

    hits, answer = taken(posted(body))

    assert [hit.title for hit in hits] == ["Büro", "Text", "Text"]
    assert [problem for hit in hits for problem in hit.problems] == []
    assert answer.status == 200
    assert json.loads(answer.body) == {"status": "success", "tracked": 3, "invalid": 0}


def test_bulk_answers_count_what_was_refused_but_not_what_was_skipped_or_excluded():
    body = {
        "requests": [
            HIT,
            changed(cid="7"),
            urlencode(HIT),  # without a question mark there is no query
            changed(rec=None),
            5,
        ],
        "token_auth": "t",
    }

    hits, answer = taken(posted(body))

    fatal = [[p.field for p in hit.problems if p.fatal] for hit in hits]
    assert fatal == [[], ["cid"], ["requests"], ["rec"], ["requests"]]
    assert json.loads(answer.body) == {
        "status": "success",
        "tracked": 2,
        "invalid": 1,
        "invalid_indices": [1],
    }


def test_a_bulk_answer_may_be_empty():
    _, answer = taken(posted({"requests": [HIT], "send_image": 0}))

    assert answer.status == 204


KINDS = [
    ({"e_c": "Basket", "e_a": "Add"}, "event", "Basket: Add"),
    ({"e_c": "Exception", "e_a": "LookupError"}, "exception", "Exception: LookupError"),
    ({"e_c": "Refund", "e_a": "T-1"}, "refund", "Refund: T-1"),
    ({"e_c": "Product", "e_a": "View"}, "product_action", "Product: View"),
    ({"idgoal": "0", "ec_id": "T-1"}, "purchase", "T-1"),
    ({"idgoal": "0"}, "other", "Cart"),
    ({"idgoal": "4"}, "other", "Goal 4"),
    ({"ping": "1"}, "other", "Heartbeat"),
    ({"cra": "LookupError", "ca": "1"}, "exception", "LookupError"),
    ({"search": "fern"}, "event", "Site search: fern"),
    ({"link": "https://example.net/"}, "event", "Outlink: https://example.net/"),
    ({"download": "https://x/a.pdf"}, "event", "Download: https://x/a.pdf"),
    ({"c_n": "Banner"}, "event", "Content impression: Banner"),
    ({"c_n": "Banner", "c_i": "click"}, "event", "Content interaction: click"),
    ({"_pks": "FERN-1"}, "pageview", ""),
]


@pytest.mark.parametrize(("more", "kind", "name"), KINDS)
def test_kinds_are_told_apart_by_what_is_there(more, kind, name):
    [hit], answer = taken(got(changed(**more)))

    assert (hit.kind, hit.name, hit.problems) == (kind, name, [])
    assert answer.status == 200


TIMES = [
    ({"cdt": "2026-09-21 14:13:20"}, 1_790_000_000),
    ({"cdt": "1790000000"}, 1_790_000_000),
    ({"cdt": "1790000000", "cdo": "60"}, 1_789_999_940),
    ({"cdo": "60"}, NOW - 60),
    ({"cdt": "2027-01-01 00:00:00"}, NOW),  # the future is now
    ({"cdt": "yesterday"}, NOW),
]


@pytest.mark.parametrize(("more", "moment"), TIMES)
def test_times_are_read(more, moment):
    [hit], _ = taken(got(changed(**more)))

    assert hit.time == moment


REFUSED = [
    ({"idsite": None}, "idsite", 400),
    ({"idsite": "0"}, "idsite", 400),
    ({"idsite": "x"}, "idsite", 400),
    ({"cid": "0123456789abcde"}, "cid", 400),
    ({"cip": "203.0.113.1"}, "cip", 400),  # without a token
    ({"country": "de"}, "country", 400),
    ({"cdt": "2026-09-20 14:13:20"}, "cdt", 400),  # more than a day ago
    ({"cip": "nowhere", "token_auth": "t"}, "cip", 400),
    ({"pf_srv": "-1"}, "pf_srv", 400),
    # Thrown away behind the same answer as all others.
    ({"rec": None}, "rec", 200),
    ({"rec": "0"}, "rec", 200),
    ({"e_c": "Basket"}, "e_a", 200),
    ({"e_c": " ", "e_a": "Add"}, "e_c", 200),
]


@pytest.mark.parametrize(("more", "field", "status"), REFUSED)
def test_what_is_lost_is_named(more, field, status):
    [hit], answer = taken(got(changed(**more)))

    assert field in {problem.field for problem in hit.problems if problem.fatal}
    assert answer.status == status


ALLOWED = [
    {"cip": "203.0.113.1", "token_auth": "t"},
    {"cdt": "2026-01-01 00:00:00", "token_auth": "t"},
    {"cdt": "2026-09-21 00:00:00"},
    {"dimension7": "x"},
    {"_idn": "1"},  # Matomo's script still sends it
    {"ec_items": '[["SKU","Fern",["Plants"],19.5,2]]', "idgoal": "0", "ec_id": "1"},
]


@pytest.mark.parametrize("more", ALLOWED)
def test_what_is_right_is_not_complained_of(more):
    [hit], answer = taken(got(changed(**more)))

    assert hit.problems == []
    assert answer.status == 200


MILD = [
    ({"ua": None}, "ua"),
    ({"action_name": "ä" * 513}, "action_name"),
    ({"urlref": "x" * 1501}, "urlref"),
    ({"uid": "x" * 201}, "uid"),
    ({"dimension1": "x" * 251}, "dimension1"),
    ({"dimension0": "x"}, "dimension0"),
    ({"dimension1000": "x"}, "dimension1000"),
    ({"nonsense": "x"}, "nonsense"),
    ({"gt_ms": "5"}, "gt_ms"),
    ({"cvar": "{"}, "cvar"),
    ({"pf_srv": "16777216"}, "pf_srv"),
    ({"e_c": "a", "e_a": "b", "e_v": "much"}, "e_v"),
    ({"e_c": "a", "e_a": "b", "pf_srv": "5"}, "pf_srv"),
    ({"search_cat": "plants"}, "search_cat"),
    ({"new_visit": "yes"}, "new_visit"),
    ({"recMode": "3"}, "recMode"),
    ({"recMode": "1", "bots": "1"}, "bots"),
    ({"ping": "1", "ca": "1"}, "ca"),
    ({"cra": "LookupError"}, "cra"),
]


@pytest.mark.parametrize(("more", "field"), MILD)
def test_what_is_cut_or_ignored_is_named(more, field):
    [hit], answer = taken(got(changed(**more)))

    assert [(p.field, p.fatal) for p in hit.problems] == [(field, False)]
    assert answer.status == 200


BAD = [
    (got(""), 200),  # a browser is shown a page
    (posted(b""), 400),
    (posted(b'{"idsite": 1, "rec": 1}', kind="application/json"), 400),
    (posted(b'{"requests": '), 400),
    (posted({"requests": 5}), 400),
    (posted({"requests": []}), 400),
]


@pytest.mark.parametrize(("request_", "status"), BAD, ids=range(len(BAD)))
def test_what_is_no_hit_is_said_to_be_none(request_, status):
    [hit], answer = taken(request_)

    assert hit.kind == "other"
    assert [problem.fatal for problem in hit.problems] == [True]
    assert answer.status == status


def test_a_token_is_not_shown():
    [hit], _ = taken(got(changed(token_auth="a-secret")))

    assert not any("a-secret" in parameter.value for parameter in hit.parameters)


def test_the_old_name_of_the_tracker_is_known():
    assert set(PROTOCOL.paths) == {"/matomo.php", "/piwik.php"}


# Social and timing hits are events to Matomo.
KIND_OF = {"social": "event", "timing": "event", "screenview": "pageview"}


@pytest.mark.parametrize(
    "system",
    [Matomo.example(), Matomo("https://matomo.example.org/", 1)],
    ids=["bulk", "alone"],
)
def test_our_own_hits_are_read_without_a_complaint(system):
    hits = sample_hits()
    kinds = [type(hit).__struct_config__.tag for hit in hits]

    decoded = []
    for call in system.encode(hits, NOW):
        found, answer = taken(posted(call.body))
        outcome = system.outcome(call, answer.status, answer.headers, answer.body)
        assert outcome.verdict.value == "delivered"
        assert outcome.exceptions == {}
        decoded += found

    assert [hit.kind for hit in decoded] == [KIND_OF.get(k, k) for k in kinds]
    assert [problem for hit in decoded for problem in hit.problems] == []


NAMES = st.sampled_from(["idsite", "rec", "e_c", "cdt", "cdo", "url", "pf_srv", "cid"])
VALUES = st.one_of(
    st.none(), st.text(max_size=10), st.integers(), st.floats(), st.just([1])
)
HITS = st.one_of(st.dictionaries(NAMES, VALUES, max_size=4), st.text(max_size=30))


@given(st.one_of(VALUES, st.lists(HITS, max_size=3)), VALUES, st.text(max_size=30))
def test_no_bulk_request_is_too_odd(requests, token, query):
    hits, answer = taken(posted({"requests": requests, "token_auth": token}, query))

    assert hits
    assert answer.status in {200, 204, 400}


@given(st.binary(max_size=50), st.text(max_size=50), st.dictionaries(NAMES, st.text()))
def test_no_single_request_is_too_odd(body, query, parameters):
    for request in (posted(body, query), got(urlencode(parameters, errors="replace"))):
        hits, answer = taken(request)

        assert hits
        assert answer.status in {200, 204, 400}
