"""What was decided for a request: told to whom the site lets see it, and to the log."""

import logging

import pytest

from server_tracking import ConfigurationError, Request, Settings, current
from server_tracking.notices import COOKIE, HEADER, explain_cookie, notice_of
from server_tracking.reasons import Reason
from server_tracking.wsgi import TrackingMiddleware

SECRET = "a secret key for tests"


@pytest.fixture
def answer(browser):
    """Serve a request; returns what the header says, or None."""

    def answer(tracker, cookie="", method="GET", head=(), events=0, **headers):
        def site(environ, start_response):
            for _ in range(events):
                current().event("Cart", "Add")
            start_response("200 OK", [("Content-Type", "text/html"), *head])
            return [b"<title>Shop</title>"]

        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/max@example.com",
            "QUERY_STRING": "",
            "REMOTE_ADDR": "203.0.113.7",
            "HTTP_HOST": "example.com",
            "wsgi.url_scheme": "https",
        }
        for name, value in {**browser, **headers}.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        if cookie:
            environ["HTTP_COOKIE"] = cookie
        heads = []
        body = TrackingMiddleware(site, tracker)(
            environ, lambda status, headers: heads.append(dict(headers))
        )
        b"".join(body)
        return heads[0].get(HEADER)

    return answer


@pytest.fixture
def staff(make_tracker):
    """A tracker that explains, and the cookie of those who may see it."""
    tracker = make_tracker(explain_header=True)
    written = explain_cookie(tracker.settings, Request())
    return tracker, written.partition(";")[0]


def test_a_page_view_is_told_with_consent_and_visit(staff, answer):
    tracker, cookie = staff

    assert answer(tracker, cookie) == "page-view; consent=unknown; visit=1"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"method": "POST"}, "no-page-view; reason=method"),
        ({"sec-purpose": "prefetch"}, "no-page-view; reason=speculative"),
        ({"user-agent": "curl/8.5"}, "nothing; reason=bot"),
        ({"sec-gpc": "1"}, "nothing; reason=signalled"),
    ],
)
def test_what_is_not_told_is_explained_by_its_reason(staff, answer, request_, said):
    tracker, cookie = staff

    assert answer(tracker, cookie, **request_).startswith(said)


@pytest.mark.parametrize("cookie", ["", f"{COOKIE}=1", f"{COOKIE}=", "a=b"])
def test_nobody_else_sees_it(staff, answer, cookie):
    tracker, _ = staff

    assert answer(tracker, cookie) is None


def test_a_cookie_of_another_site_or_key_shows_nothing(staff, answer, make_tracker):
    _, cookie = staff

    for options in ({"cookie_salt": "other"}, {"secret_key": "another secret key"}):
        tracker = make_tracker(explain_header=True, **options)
        assert answer(tracker, cookie) is None


def test_no_shared_cache_gets_it(staff, answer):
    tracker, cookie = staff

    assert answer(tracker, cookie, head=[("Cache-Control", "public")]) is None


def test_it_is_off_unless_the_settings_say_so(staff, answer, make_tracker):
    _, cookie = staff

    assert answer(make_tracker(), cookie) is None
    with pytest.raises(ConfigurationError, match="explain_header"):
        explain_cookie(Settings(secret_key=SECRET), Request())


def test_the_cookie_is_for_a_day_and_no_script(staff):
    tracker, _ = staff
    written = explain_cookie(tracker.settings, Request())

    assert "Max-Age=86400" in written
    assert "HttpOnly" in written
    assert "SameSite=Lax" in written


def test_the_debug_log_says_what_was_decided_and_nothing_of_the_visitor(
    make_tracker, answer, caplog
):
    caplog.set_level(logging.DEBUG, "server_tracking")
    answer(make_tracker(), events=2)
    answer(make_tracker(), method="POST")

    said = [record.getMessage() for record in caplog.records]
    assert "A request: page-view; consent=unknown; visit=1; events=2" in said
    assert "A request: no-page-view; reason=method; events=0" in said
    assert "max@example.com" not in caplog.text


def test_without_recognition_the_reason_alone_is_said():
    said = notice_of(Reason.METHOD, False, None)

    assert said == "no-page-view; reason=method"
