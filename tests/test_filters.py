"""What is a page view: replayed from a recording of browsers, and rule by rule."""

import json
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_tracking.errors import ConfigurationError
from server_tracking.filters import (
    DEFAULT_EXCLUDE,
    FRAMEWORKS,
    Exclusion,
    PageViewRules,
    exclusion_from,
    hosts_from,
    is_in_sample,
    is_probe,
    refusal_of_request,
    refusal_of_response,
)
from server_tracking.reasons import Reason

RECORDING = json.loads(
    (Path(__file__).parent / "data" / "browser_requests.json").read_text("utf-8")
)
# What the person or page did in each step that loaded a page, by the rule of
# privacy.md 7.1: navigations of the top frame, not its frames, downloads, POST forms,
# subresources or speculation, and of a redirection only where it led to. Nobody but
# the table was asked. The notes counted 21 of 177 requests of Chromium, and 3 of 18 of
# Firefox; the file holds the 86 distinct ones of Chromium, of which these 17 are left.
PAGE_LOADS = {
    ("goto /page", "/page"),
    ("click link /next", "/next"),
    ("reload", "/page"),
    ("redirect link", "/redirected"),
    ("blank", "/blank"),
    ("ping", "/pinged"),
    ("form get", "/formget?q=1"),
    ("etag first", "/etag"),
    ("etag second", "/next"),
    ("etag second", "/etag"),
    ("meta refresh", "/meta"),
    ("meta refresh", "/metaed"),
    ("js location", "/jsloc"),
    ("service worker", "/sw.html"),
    ("nav through SW", "/next?sw"),
    ("speculation rules", "/page?spec"),
    ("plain http non-localhost", "/page"),
}
# Without Fetch Metadata nothing tells these from a page load.
KNOWN_FALSE = {
    ("plain http non-localhost", "/iframe"),
    ("plain http non-localhost", "/embed"),
    ("plain http non-localhost", "/object"),
    ("plain http non-localhost", "/fetch-html"),
}
SPECULATIVE_LOADS = {
    ("speculation rules", "/spec-prefetch"),
    ("speculation rules", "/spec-prerender"),
}

NOTHING = Exclusion()
RULES = PageViewRules()
PAGE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}  # fmt: skip
FETCH = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "accept": "*/*"}
OLD = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}  # no Fetch Metadata


def refusal(headers, method="GET", path="/", exclusion=NOTHING, **rules):
    return refusal_of_request(
        method, path, headers.get, exclusion, PageViewRules(**rules)
    )


def counted(**rules):
    """Replay the recording; all is answered with HTML, as the recorded site did."""
    for record in RECORDING:
        headers = {name.lower(): value for name, value in record["headers"].items()}
        path = record["path"].partition("?")[0]
        status = 302 if path == "/redir" else 304 if "if-none-match" in headers else 200
        if (
            refusal(headers, record["method"], path, **rules) is None
            and refusal_of_response(status, "text/html; charset=utf-8", None) is None
        ):
            yield record["step"], record["path"]


def test_each_recorded_page_load_counts_and_only_four_others_do():
    found = list(counted())

    assert len(found) == len(set(found)) == 21  # 17 page loads and the 4 known
    assert set(found) - PAGE_LOADS == KNOWN_FALSE
    assert set(found) >= PAGE_LOADS


def test_with_fetch_metadata_nothing_counts_that_is_no_page_load():
    plain = {(r["step"], r["path"]) for r in RECORDING if r["plain_http_host"]}

    assert set(counted()) - plain == PAGE_LOADS - plain


def test_speculative_loads_count_on_demand():
    assert set(counted(speculative="count")) - set(counted()) == SPECULATIVE_LOADS | {
        # On plain http, a link's prefetch cannot be told from a navigation.
        ("plain http non-localhost", "/lp-prefetch"),
        ("plain http non-localhost", "/lp-prefetch-doc"),
    }


REQUESTS = [
    # Navigations of the table that are not in the recording: Firefox's included.
    ({**PAGE, "sec-fetch-user": "?1"}, None),
    ({**PAGE, "accept": "application/xhtml+xml"}, None),
    ({**PAGE, "x-requested-with": "com.example.app"}, None),
    ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "empty", "accept": "text/html"}, None),
    ({"sec-fetch-mode": "navigate", "accept": "text/html"}, None),
    ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "empty"}, Reason.SUBRESOURCE),
    ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "object", "accept": "*/*"}, Reason.SUBRESOURCE),
    ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "frame", "accept": "text/html"}, Reason.SUBRESOURCE),
    ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, Reason.SUBRESOURCE),
    ({"sec-fetch-mode": "cors", "sec-fetch-dest": "font"}, Reason.SUBRESOURCE),
    ({"sec-fetch-mode": "websocket", "sec-fetch-dest": "websocket"}, Reason.SUBRESOURCE),
    ({**FETCH, "accept": "text/html"}, Reason.SUBRESOURCE),
    ({**FETCH, "hx-request": "true", "hx-boosted": "true"}, Reason.SUBRESOURCE),
    ({**FETCH, "x-sec-purpose": "prefetch"}, Reason.SPECULATIVE),
    ({**FETCH, "sec-fetch-mode": "no-cors", "sec-purpose": "prefetch"}, Reason.SPECULATIVE),
    # Without Fetch Metadata.
    (OLD, None),
    ({"accept": "application/xhtml+xml"}, None),
    ({**OLD, "x-requested-with": "com.example.app"}, None),
    ({}, Reason.SUBRESOURCE),
    ({"accept": "*/*"}, Reason.SUBRESOURCE),
    ({"accept": "image/avif,image/webp,*/*"}, Reason.SUBRESOURCE),
    ({"accept": "application/json"}, Reason.SUBRESOURCE),
    ({**OLD, "x-requested-with": "XMLHttpRequest"}, Reason.AJAX),
    ({**OLD, "x-requested-with": "fetch"}, Reason.AJAX),
    ({**OLD, "hx-request": "true"}, Reason.AJAX),
    ({**OLD, "hx-request": "true", "hx-boosted": "true"}, Reason.AJAX),
    ({**OLD, "turbo-frame": "cart"}, Reason.AJAX),
    ({**OLD, "x-turbo-request-id": "1"}, Reason.AJAX),
    ({**OLD, "x-pjax": "true"}, Reason.AJAX),
    ({**OLD, "x-up-version": "3.0"}, Reason.AJAX),
    ({**OLD, "x-up-target": "main"}, Reason.AJAX),
    ({**OLD, "x-inertia": "true"}, Reason.AJAX),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "reason"), REQUESTS)
def test_a_request_is_judged_by_its_headers(headers, reason):
    assert refusal(headers) is reason


SPECULATION = [
    ("sec-purpose", "prefetch"),
    ("sec-purpose", "prefetch;prerender"),
    ("sec-purpose", "prefetch;anonymous-client-ip"),
    ("x-sec-purpose", "prefetch"),
    ("purpose", "prefetch"),
    ("x-purpose", "preview"),
    ("x-moz", "prefetch"),
    ("purpose", "Prerender"),
]


@pytest.mark.parametrize(("name", "value"), SPECULATION)
def test_what_is_loaded_in_advance_counts_on_demand_only(name, value):
    assert refusal({**OLD, name: value}) is Reason.SPECULATIVE
    assert refusal({**OLD, name: value}, speculative="count") is None


@pytest.mark.parametrize("name", ["sec-purpose", "purpose"])
def test_a_navigation_in_advance_counts_on_demand_only(name):
    ahead = {**PAGE, name: "prefetch"}

    assert refusal(ahead) is Reason.SPECULATIVE
    assert refusal(ahead, speculative="count") is None


def test_another_purpose_is_no_speculation():
    assert refusal({**PAGE, "purpose": "reading"}) is None


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "PUT", "get", ""])
def test_only_get_counts_and_the_headers_are_not_looked_at(method):
    def untouchable(name):
        raise AssertionError(name)

    reason = refusal_of_request(method, "/", untouchable, NOTHING, RULES)

    assert reason is Reason.METHOD


ENHANCED = [
    ({"hx-request": "true", "hx-boosted": "true"}, True),
    ({"hx-request": "true", "hx-request-type": "full"}, True),
    ({"hx-request": "true", "hx-history-restore-request": "true"}, True),
    ({"hx-request": "true"}, False),
    ({"hx-request": "true", "hx-boosted": "false"}, False),
    ({"hx-request": "true", "hx-request-type": "partial"}, False),
    ({"x-turbo-request-id": "1"}, True),
    ({"x-turbo-request-id": "1", "turbo-frame": "cart"}, False),
    ({"x-turbo-request-id": "1", "x-sec-purpose": "prefetch"}, False),
    ({"x-pjax": "true"}, False),
    ({"x-inertia": "true"}, True),
    ({"x-inertia": "true", "x-inertia-partial-component": "Cart"}, False),
    ({"x-up-version": "3.11.0", "x-up-target": "main", "x-up-mode": "root"}, True),
    ({"x-up-version": "3.11.0", "x-up-target": ".cart, [up-main]"}, True),
    ({"x-up-version": "3.11.0", "x-up-target": "body", "x-up-mode": "modal"}, False),
    ({"x-up-version": "3.11.0", "x-up-target": ".cart"}, False),
    ({"x-up-target": "main"}, False),
    ({"x-requested-with": "XMLHttpRequest"}, False),
]
TURBO_STREAM = "text/vnd.turbo-stream.html, text/html, application/xhtml+xml"


@pytest.mark.parametrize("base", [OLD, FETCH], ids=["without metadata", "with"])
@pytest.mark.parametrize(("headers", "counts"), ENHANCED)
def test_boosted_links_and_visits_count_on_demand(base, headers, counts):
    assert (
        refusal({**base, **headers}, enhanced=frozenset(FRAMEWORKS)) is None
    ) is counts
    assert refusal({**base, **headers}) is not None


def test_a_turbo_visit_may_show_by_what_it_accepts():
    visit = {**FETCH, "accept": TURBO_STREAM}

    assert refusal(visit, enhanced=frozenset(FRAMEWORKS)) is None
    assert refusal({**visit, "turbo-frame": "x"}, enhanced=frozenset(FRAMEWORKS)) is (
        Reason.SUBRESOURCE
    )


AJAX = [
    (FETCH, True),
    ({**FETCH, "sec-fetch-mode": "same-origin"}, True),
    ({**FETCH, "x-requested-with": "XMLHttpRequest"}, True),
    ({"accept": "*/*", "x-requested-with": "XMLHttpRequest"}, True),
    ({**OLD, "hx-request": "true"}, True),
    ({**FETCH, "sec-fetch-mode": "no-cors"}, False),
    ({**FETCH, "x-moz": "prefetch"}, False),
    ({"accept": "*/*"}, False),
    ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, False),
    ({"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "accept": "text/html"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "counts"), AJAX)
def test_what_a_script_fetches_counts_on_demand(headers, counts):
    assert (refusal(headers, ajax_responses=True) is None) is counts
    assert refusal(headers) is not None


ANSWERS = [
    (200, "text/html", None, None),
    (200, "text/html; charset=utf-8", None, None),
    (200, "Text/HTML;charset=utf-8", "inline", None),
    (200, "application/xhtml+xml", None, None),
    (304, None, None, None),
    (304, "text/html", None, None),
    (200, None, None, Reason.NOT_HTML),
    (200, "", None, Reason.NOT_HTML),
    (200, "application/json", None, Reason.NOT_HTML),
    (200, "text/htmlx", None, Reason.NOT_HTML),
    (200, "text/vnd.turbo-stream.html", None, Reason.NOT_HTML),
    (200, "text/html", "attachment", Reason.DOWNLOAD),
    (200, "text/html", ' Attachment; filename="a.html"', Reason.DOWNLOAD),
    (200, "application/pdf", "attachment", Reason.DOWNLOAD),
    *((status, "text/html", None, Reason.STATUS)
      for status in (0, 101, 201, 203, 204, 206, 301, 302, 303, 307, 400, 401, 404, 500, 503)),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind", "disposition", "reason"), ANSWERS)
def test_an_answer_is_judged_by_its_head(status, kind, disposition, reason):
    assert refusal_of_response(status, kind, disposition) is reason


PATHS = [
    ("admin/", "/admin/", True),
    ("admin/", "/admin", True),
    ("admin/", "/admin/users/1", True),
    ("/admin", "/admin/", True),
    ("//admin//", "/admin/x", True),
    ("admin", "/administrator", False),
    ("admin/", "/administrator/", False),
    ("admin/", "/de/admin/", False),
    ("admin/", "/", False),
    ("admin/", "", False),
    ("admin/", "//admin///users", True),
    ("/internal/api", "/internal/api/v1", True),
    ("/internal/api", "//internal//api", True),
    ("/internal/api", "/internal", False),
    ("/internal/api", "/internal/apis", False),
    ("Admin/", "/admin/", False),
    ("café/", "/café/menu", True),
    ("caf%C3%A9/", "/café/menu", True),
    ("my files", "/my files/a", True),
    ("/.well-known/", "/.well-known/security.txt", True),
    ("a.b+(c)", "/a.b+(c)/d", True),
    ("a.b", "/aXb", False),
]


@pytest.mark.parametrize(("prefix", "path", "covered"), PATHS)
def test_a_prefix_excludes_whole_segments(prefix, path, covered):
    exclusion = exclusion_from((prefix,))

    assert exclusion.covers(path) is covered
    expected = Reason.EXCLUDED if covered else None
    assert refusal(PAGE, path=path, exclusion=exclusion) is expected


UNVISITED = """
    /static/a.css /media/a /favicon.ico /robots.txt /.well-known/x /health /healthz
    /healthz/ /livez /readyz /ping /metrics
"""


@pytest.mark.parametrize("path", UNVISITED.split())
def test_what_no_visitor_opens_is_excluded_by_default(path):
    assert exclusion_from(DEFAULT_EXCLUDE).covers(path)


@pytest.mark.parametrize(
    "path", ["/", "/healthy-food", "/pingpong", "/statics", "/shop/static", "/admin/"]
)
def test_other_paths_are_not_excluded_by_default(path):
    assert not exclusion_from(DEFAULT_EXCLUDE).covers(path)


def test_without_prefixes_nothing_is_excluded():
    assert not exclusion_from(()).covers("/")


WRONG = [
    *("", "/", "//", " ", " admin", "admin/\n", "^admin/", "/admin*", "admin?x=1"),
    *("a#b", "https://example.com/admin", "../admin", "/a/./b", "a\\b", "a\0b"),
    *(1, None, b"a"),
]


@pytest.mark.parametrize("entry", WRONG)
def test_a_wrong_prefix_is_refused_and_named(entry):
    with pytest.raises(ConfigurationError) as caught:
        exclusion_from(("admin/", entry))

    assert repr(entry) in str(caught.value)
    assert caught.value.option == "pageview_exclude"


def test_a_string_is_no_list_of_prefixes():
    with pytest.raises(ConfigurationError, match="admin/"):
        exclusion_from("admin/")


@given(
    st.sampled_from(["GET", "POST", ""]),
    st.text(max_size=30),
    st.dictionaries(
        st.sampled_from(["sec-fetch-mode", "sec-fetch-dest", "accept", "sec-purpose"])
        | st.sampled_from(["x-requested-with", "hx-request", "turbo-frame", "purpose"]),
        st.sampled_from(["", "navigate", "document", "empty", "text/html", "prefetch"])
        | st.text(max_size=10),
    ),
)
def test_no_request_is_too_odd(method, path, headers):
    exclusion = exclusion_from(DEFAULT_EXCLUDE)
    for speculative, ajax, enhanced in product(("drop", "count"), *[(False, True)] * 2):
        rules = PageViewRules(
            speculative=speculative,
            ajax_responses=ajax,
            enhanced=frozenset(FRAMEWORKS if enhanced else ()),
        )
        reason = refusal_of_request(method, path, headers.get, exclusion, rules)
        assert reason is None or isinstance(reason, Reason)


@given(st.integers(), st.none() | st.text(), st.none() | st.text())
def test_no_answer_is_too_odd(status, content_type, disposition):
    refusal_of_response(status, content_type, disposition)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_framework_counts_alone(framework):
    visits = {
        "htmx": {"hx-request": "true", "hx-boosted": "true"},
        "turbo": {"x-turbo-request-id": "1"},
        "unpoly": {"x-up-version": "3.11.0", "x-up-target": "main"},
        "inertia": {"x-inertia": "true"},
    }
    counted = {
        name
        for name, headers in visits.items()
        if refusal({**FETCH, **headers}, enhanced=frozenset({framework})) is None
    }

    assert counted == {framework}


@pytest.mark.parametrize("destination", ["iframe", "frame", "object", "embed"])
def test_frames_count_on_demand(destination):
    frame = {**PAGE, "sec-fetch-dest": destination}

    assert refusal(frame) is Reason.SUBRESOURCE
    assert refusal(frame, frames=True) is None


def test_other_methods_count_on_demand():
    assert refusal(PAGE, "POST") is Reason.METHOD
    assert refusal(PAGE, "POST", methods=frozenset({"GET", "POST"})) is None


def test_other_statuses_and_types_count_on_demand():
    rules = PageViewRules(
        statuses=frozenset({200, 404}), content_types=frozenset({"text/vnd.wap.wml"})
    )

    assert refusal_of_response(404, "text/vnd.wap.wml", None, rules) is None
    assert refusal_of_response(304, None, None, rules) is Reason.STATUS
    assert refusal_of_response(200, "text/html", None, rules) is Reason.NOT_HTML


@pytest.mark.parametrize(
    ("enhanced", "inertia", "reason"),
    [
        ({"inertia"}, True, None),
        ({"inertia"}, False, Reason.NOT_HTML),
        ({"htmx"}, True, Reason.NOT_HTML),
    ],
)
def test_a_page_of_inertia_is_json(enhanced, inertia, reason):
    rules = PageViewRules(enhanced=frozenset(enhanced))
    answer = (200, "application/json", None, rules)

    assert refusal_of_response(*answer, inertia=inertia) is reason


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        (r"^/users/\d+/edit$", "/users/7/edit", True),
        (r"^/users/\d+/edit$", "/users/max/edit", False),
        (r"\.json$", "/feed.json", True),
        (r"\.json$", "/feed.json/", False),
        (r"^/a/b$", "//a///b", True),
        ("x$", "/" + "a" * 600 + "x", False),  # beyond 512 characters
    ],
)
def test_a_pattern_excludes_what_it_finds(pattern, path, covered):
    assert exclusion_from([], [pattern]).covers(path) is covered


@pytest.mark.parametrize("pattern", ["(", "*", "", ".*", "a?", "^", 7])
def test_a_pattern_that_is_none_or_takes_all_is_refused(pattern):
    with pytest.raises(ConfigurationError, match="pageview_exclude_patterns"):
        exclusion_from([], [pattern])


@pytest.mark.parametrize("host", ["https://a.example", "a.example:80", "a b", "", "/"])
def test_what_is_no_host_is_refused(host):
    with pytest.raises(ConfigurationError, match="pageview_exclude_hosts"):
        hosts_from([host])


def test_a_visitor_is_in_the_sample_for_good_and_at_every_higher_rate():
    ids = [f"{number * 7919}.1790000000" for number in range(2000)]
    tenth = {one for one in ids if is_in_sample(one, 0.1)}
    half = {one for one in ids if is_in_sample(one, 0.5)}

    assert tenth < half
    assert 140 < len(tenth) < 260
    assert 900 < len(half) < 1100
    assert all(is_in_sample(one, 1.0) for one in ids)


@pytest.mark.parametrize(
    ("path", "probe"),
    [
        ("/wp-login.php", True),
        ("/blog/xmlrpc.php", True),
        ("/.env", True),
        ("/.env.production", True),
        ("/app/.git/config", True),
        ("/old/backup.sql", True),
        ("/cgi-bin/luci", True),
        ("/a/../../etc/passwd", True),
        ("/phpMyAdmin/", True),
        ("/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", True),
        ("/shop/missing", False),
        ("/about.html", False),
        ("/php-developers", False),
        ("/wp", False),
        ("/environment", False),
        ("/.well-known/security.txt", False),
        ("/robots.txt", False),
        ("/sql-course", False),
    ],
)
def test_what_only_scanners_ask_for_is_told_from_a_broken_link(path, probe):
    assert is_probe(path) is probe
