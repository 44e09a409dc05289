"""What counts, by settings: through the middleware, as a site has it."""

import re

import pytest

from server_tracking import ConfigurationError, Reason, Request, Settings
from server_tracking.bots import detector_from
from server_tracking.wsgi import TrackingMiddleware

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def visit(browser):
    """Serve one request; returns the cookies that the answer sets."""

    def visit(tracker, path="/shop", status="200 OK", **headers):
        def site(environ, start_response):
            start_response(status, [("Content-Type", "text/html")])
            return [b"<title>Order 1234567</title>"]

        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "utm_source=mail",
            "REMOTE_ADDR": "203.0.113.7",
            "HTTP_HOST": "example.com",
            "wsgi.url_scheme": "https",
        }
        for name, value in {**browser, **headers}.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        heads = []
        body = TrackingMiddleware(site, tracker)(
            environ, lambda _, headers: heads.append(headers)
        )
        b"".join(body)
        if hasattr(body, "close"):
            body.close()
        return [value for name, value in heads[0] if name == "Set-Cookie"]

    return visit


@pytest.mark.parametrize(
    "options",
    [
        {"pageview_exclude": ["shop"]},
        {"pageview_exclude_patterns": ["^/sh.p$"]},
        {"pageview_exclude_hosts": ["EXAMPLE.com"]},
        {"pageview_exclude_when": lambda request: request.path == "/shop"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_each_exclusion_is_counted_by_its_reason(options, make_tracker, sender, visit):
    tracker = make_tracker(**options)
    assert visit(tracker) == []

    assert sender.hits == []
    assert tracker.stats().not_tracked == {Reason.EXCLUDED: 1}


@pytest.mark.parametrize(
    "options",
    [
        {"pageview_exclude_hosts": ["other.example.com"]},
        {"pageview_exclude_when": lambda request: None},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_is_not_excluded_counts(options, make_tracker, sender, visit):
    visit(make_tracker(**options))

    assert len(sender.hits) == 1


def test_a_host_is_excluded_with_any_port(make_tracker, sender, visit):
    visit(make_tracker(pageview_exclude_hosts=["localhost"]), host="localhost:8000")

    assert sender.hits == []


def test_a_visitor_out_of_the_sample_keeps_the_id_and_stays_out(
    make_tracker, sender, visit
):
    tracker = make_tracker(sample_rate=1e-9)
    (cookie,) = visit(tracker)
    assert cookie.startswith("vn=")

    assert visit(tracker, cookie=cookie.partition(";")[0]) == []
    assert sender.hits == []
    assert tracker.stats().not_tracked == {Reason.SAMPLED: 2}


def test_a_visitor_sent_by_spam_is_not_counted(make_tracker, sender, visit):
    tracker = make_tracker()
    assert visit(tracker, referer="https://a.semalt.com/x") == []
    assert tracker.stats().not_tracked == {Reason.SPAM: 1}
    assert sender.hits == []

    visit(make_tracker(drop_referrer_spam=False), referer="https://semalt.com/x")
    assert len(sender.hits) == 1


def test_a_scanner_makes_no_exceptions_and_a_broken_link_does(
    make_tracker, sender, visit
):
    tracker = make_tracker(pageview_na_exceptions=True)
    for path in ("/wp-login.php", "/.env", "/shop/gone"):
        visit(tracker, path, "404 Not Found")

    assert [hit.context.page.path for hit in sender.hits] == ["/shop/gone"]
    assert tracker.stats().not_tracked[Reason.SCANNER] == 2


def test_scanners_make_exceptions_on_demand(make_tracker, sender, visit):
    tracker = make_tracker(pageview_na_exceptions=True, collapse_scanners=False)
    visit(tracker, "/wp-login.php", "404 Not Found")

    assert len(sender.hits) == 1


def test_any_function_may_tell_robots(make_tracker, sender, visit):
    seen = []

    def ours(user_agent):
        seen.append(user_agent)
        return "Uptime" in user_agent

    tracker = make_tracker(bot_detector=ours)
    for agent in (FIREFOX, FIREFOX, "Our Uptime", "Firefox " + "x" * 4000):
        visit(tracker, **{"user-agent": agent})

    assert len(sender.hits) == 3
    assert tracker.stats().not_tracked == {Reason.BOT: 1}
    assert [len(agent) for agent in seen] == [len(FIREFOX), 10, 512]


def test_no_user_agent_is_a_robot_whatever_the_function_says():
    assert detector_from(lambda agent: False)(None)


def test_a_list_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "is_bot", None)

    with pytest.raises(ConfigurationError, match=r"server-tracking\[bots\]") as refused:
        Settings(bot_detector="is-bot")
    assert refused.value.option == "bot_detector"


class Listed:
    def is_bot(self, user_agent):
        return "listed" in user_agent


@pytest.mark.parametrize(
    ("user_agent", "robot"),
    [
        ("listed", True),
        ("curl/8.5", True),
        (FIREFOX, False),
        (f"{FIREFOX} listed", True),
    ],
)
def test_the_list_adds_to_the_built_in_rules(monkeypatch, user_agent, robot):
    package = type("Package", (), {"Bots": Listed})
    monkeypatch.setitem(__import__("sys").modules, "is_bot", package)

    assert detector_from("is-bot")(user_agent) is robot


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("/user/<int:id>/", "/user/:id/"),
        ("user/<slug>", "/user/:slug"),
        ("/user/{user_id:int}/orders", "/user/:user_id/orders"),
        ("/files/{*path}", "/files/:path"),
        ("^user/(?P<id>[0-9]+)/$", "/user/:id/"),
        ("/", "/"),
        ("/a b/<x>", "/a%20b/:x"),
    ],
)
def test_the_route_stands_in_for_the_path(route, path, make_tracker, sender, browser):
    tracker = make_tracker(page_path="route")
    request = Request(
        "GET", "/user/4711/", host="example.com", query="utm_source=mail", headers={}
    )
    extractor = tracker.extractor
    seen = extractor.context(request, extractor.recognize(request, 0.0), route=route)

    assert seen.page.path == path
    assert seen.page.url == f"{request.scheme}://example.com{path}?utm_source=mail"
    unknown = extractor.context(request, extractor.recognize(request, 0.0))
    assert unknown.page.path == "/user/4711/"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/orders/1234567", "/orders/[id]"),
        ("/orders/12345", "/orders/12345"),
        ("/o/123e4567-e89b-12d3-a456-426614174000/x", "/o/[id]/x"),
        ("/2024/11/25/news", "/2024/11/25/news"),
        ("/a1234567b", "/a1234567b"),
    ],
)
def test_numbers_that_may_be_ids_go_on_demand(path, kept, make_tracker, sender, visit):
    visit(make_tracker(scrub_ids=True), path)

    (page,) = [hit.context.page for hit in sender.hits]
    assert page.path == kept
    assert page.url == f"https://example.com{kept}?utm_source=mail"
    assert page.title == "Order [id]"


@pytest.mark.parametrize(
    ("referrer", "told"),
    [
        ("https://other.example/a/b?c=d", "https://other.example/"),
        ("https://example.com/a/b", "https://example.com/a/b"),
        ("android-app://com.example.app/x", "android-app://com.example.app/"),
    ],
)
def test_other_sites_may_be_told_by_their_host_alone(
    referrer, told, make_tracker, sender, visit
):
    visit(make_tracker(referrer_detail="origin"), referer=referrer)

    assert sender.hits[0].context.page.referrer == told


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("PAGEVIEW_STATUSES", "200, 404", (200, 404)),
        ("ENHANCED_NAVIGATION", "yes", True),
        ("ENHANCED_NAVIGATION", "htmx,turbo", ("htmx", "turbo")),
        ("SAMPLE_RATE", "0.25", 0.25),
        ("BOT_DETECTOR", "built-in", "built-in"),
        ("AI_TRAINING", "mark", "mark"),
    ],
)
def test_the_environment_may_say_what_counts(variable, text, value):
    settings = Settings.from_env({f"SERVER_TRACKING_{variable}": text})

    assert getattr(settings, variable.lower()) == value


def test_a_status_that_is_no_number_is_refused_from_the_environment():
    with pytest.raises(ConfigurationError, match=re.escape("pageview_statuses")):
        Settings.from_env({"SERVER_TRACKING_PAGEVIEW_STATUSES": "2xx"})
