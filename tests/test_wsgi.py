"""The WSGI middleware: conforming to PEP 3333, whatever the application does."""

import io
import sys
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from webtest import TestApp

from server_tracking import ExceptionHit, PageView, current
from server_tracking.wsgi import TrackingMiddleware

HTML = [("Content-Type", "text/html; charset=utf-8")]
PAGE = b"<!doctype html><title>A page</title><p>Hello"


def environ_of(headers, path="/", method="GET", **more):
    environ = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    environ["REQUEST_METHOD"] = method
    environ |= {"REMOTE_ADDR": "203.0.113.77", "HTTP_HOST": "example.com"}
    for name, value in headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    setup_testing_defaults(environ)
    return {**environ, **more}


class Server:
    """The least of a WSGI server; it remembers all that the application did."""

    def __init__(self, app):
        self.app = app
        self.heads = []
        self.written = []

    def start_response(self, status, headers, *exc_info):
        self.heads.append((status, list(headers), *exc_info))
        return self.written.append

    def serve(self, environ):
        self.body = self.app(environ, self.start_response)
        chunks = []
        try:
            chunks.extend(self.body)
        finally:
            if hasattr(self.body, "close"):
                self.body.close()
        return b"".join(chunks)


@pytest.fixture
def serve(tracker, browser):
    """Serve one browser's request for the wrapped application."""

    def serve(app, path="/", method="GET", **more):
        server = Server(TrackingMiddleware(app, tracker))
        server.answer = server.serve(environ_of(browser, path, method, **more))
        return server

    return serve


def page(environ, start_response):
    start_response("200 OK", HTML)
    return [PAGE]


def titles(sender):
    return [hit.context.page.title for hit in sender.hits]


def test_a_page_is_tracked_once_with_its_title(serve, sender):
    server = serve(page, "/shop", QUERY_STRING="utm_source=mail")

    assert server.answer == PAGE
    [hit] = sender.hits
    assert isinstance(hit, PageView)
    assert hit.context.page.title == "A page"
    assert hit.context.page.url == "http://example.com/shop?utm_source=mail"
    assert hit.context.page.encoding == "utf-8"
    assert hit.context.campaign.source == "mail"
    assert hit.context.address == "203.0.113.0"
    assert hit.context.device.language == "de"
    assert hit.server_ms >= 0


def test_the_visitor_gets_a_signed_session_cookie(serve):
    [(_, headers)] = serve(page).heads

    [cookie] = [value for name, value in headers if name == "Set-Cookie"]
    assert cookie.startswith("vn=1.")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")


def test_a_known_visitor_stays_the_same(tracker, sender, browser):
    client = TestApp(TrackingMiddleware(page, tracker))
    client.get("/", headers=browser)
    client.get("/again", headers=browser)

    first, second = (hit.context for hit in sender.hits)
    assert first.visitor.client_id == second.visitor.client_id
    assert first.session.id == second.session.id
    assert (first.visitor.is_new, second.visitor.is_new) == (True, False)


@pytest.mark.parametrize(
    "body", [[PAGE], (PAGE,), [PAGE[:20], PAGE[20:]], []], ids=repr
)
def test_a_body_that_lies_in_memory_is_handed_on_as_it_is(serve, body):
    def app(environ, start_response):
        start_response("200 OK", HTML)
        return body

    assert serve(app).body is body


def test_what_the_servers_file_wrapper_made_is_handed_on_as_it_is(serve, sender):
    def app(environ, start_response):
        start_response("200 OK", HTML)
        return environ["wsgi.file_wrapper"](io.BytesIO(PAGE))

    server = serve(app, **{"wsgi.file_wrapper": FileWrapper})

    assert type(server.body) is FileWrapper
    assert len(sender.hits) == 1


def test_an_open_file_is_handed_on_as_it_is(serve):
    file = io.BytesIO(PAGE)

    def app(environ, start_response):
        start_response("200 OK", HTML)
        return file

    assert serve(app).body is file


def test_pieces_go_out_one_by_one_as_they_are_made(tracker, sender, browser):
    made = []

    def app(environ, start_response):
        start_response("200 OK", HTML)
        for piece in (b"<ti", b"tle>Stre", b"amed</title>", b"rest"):
            made.append(piece)
            yield piece

    body = TrackingMiddleware(app, tracker)(environ_of(browser), lambda *a: None)
    for count, piece in enumerate(body, start=1):
        assert len(made) == count
        assert piece is made[-1]
    assert sender.hits == []  # not before the end
    body.close()

    assert titles(sender) == ["Streamed"]


def test_an_application_may_begin_its_answer_at_the_first_piece(serve, sender):
    def app(environ, start_response):
        start_response("200 OK", HTML)
        yield PAGE

    serve(app)

    assert titles(sender) == ["A page"]


def test_the_answer_may_begin_anew_with_an_error(serve, sender):
    def app(environ, start_response):
        start_response("200 OK", HTML)
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Oh", HTML, sys.exc_info())
        return [b"<title>Oh</title>"]

    server = serve(app)

    assert [head[0] for head in server.heads] == ["200 OK", "500 Oh"]
    assert server.heads[1][2][0] is ZeroDivisionError
    assert sender.hits == []


def test_what_is_written_by_hand_goes_out_and_is_read(serve, sender):
    def app(environ, start_response):
        write = start_response("200 OK", HTML)
        write(PAGE[:30])
        write(PAGE[30:])
        return []

    server = serve(app)

    assert b"".join(server.written) == PAGE
    assert titles(sender) == ["A page"]


class Body:
    """An iterable whose iterator is another object, and has no `close`."""

    def __init__(self, *pieces, error=None):
        self.pieces, self.error = pieces, error
        self.closed = 0
        self.seen = []

    def __iter__(self):
        for piece in self.pieces:
            self.seen.append(current())
            yield piece
        if self.error:
            raise self.error

    def close(self):
        self.seen.append(current())
        self.closed += 1


def returning(body, status="200 OK"):
    def app(environ, start_response):
        start_response(status, HTML)
        return body

    return app


def test_the_applications_close_is_called_once(serve, sender):
    body = Body(PAGE)
    serve(returning(body))

    assert body.closed == 1
    assert len(sender.hits) == 1


def test_the_observation_is_current_while_the_body_is_made_and_closed(serve):
    body = Body(b"a", b"b")
    serve(returning(body))

    assert None not in body.seen
    assert len(set(body.seen)) == 1
    assert current() is None


def test_a_body_that_is_closed_unread_is_a_page_view(tracker, sender, browser):
    body = Body(PAGE)
    app = TrackingMiddleware(returning(body), tracker)
    app(environ_of(browser), lambda *a: None).close()

    assert body.closed == 1
    assert titles(sender) == [None]


def test_a_body_is_closed_twice_and_counted_once(tracker, sender, browser):
    app = TrackingMiddleware(returning(Body(PAGE)), tracker)
    answer = app(environ_of(browser), lambda *a: None)
    answer.close()
    answer.close()

    assert len(sender.hits) == 1


def test_an_error_in_the_body_reaches_the_server(serve, sender):
    body = Body(PAGE, error=ConnectionResetError())

    with pytest.raises(ConnectionResetError):
        serve(returning(body))

    assert body.closed == 1
    assert titles(sender) == ["A page"]


def test_an_error_before_the_answer_reaches_the_server_and_is_no_page(serve, tracker):
    def app(environ, start_response):
        raise LookupError

    with pytest.raises(LookupError):
        serve(app)

    assert tracker.stats().not_tracked == {"unanswered": 1}


def test_an_error_is_a_hit_if_the_settings_say_so(make_tracker, sender, browser):
    def app(environ, start_response):
        raise LookupError("someone@example.com")

    tracker = make_tracker(pageview_server_exceptions=True)
    with pytest.raises(LookupError):
        Server(TrackingMiddleware(app, tracker)).serve(environ_of(browser))

    [hit] = sender.hits
    assert isinstance(hit, ExceptionHit)
    assert (hit.description, hit.fatal) == ("LookupError", True)


@pytest.mark.parametrize(
    ("status", "option"),
    [("404 No", "pageview_na_exceptions"), ("500 Oh", "pageview_server_exceptions")],
)
def test_an_error_page_is_a_hit_if_the_settings_say_so(
    make_tracker, sender, browser, status, option
):
    for tracker in (make_tracker(), make_tracker(**{option: True})):
        app = TrackingMiddleware(returning([b"<title>x</title>"], status), tracker)
        Server(app).serve(environ_of(browser))

    [hit] = sender.hits
    assert hit.description == f"HTTP {status[:3]}"
    assert hit.fatal is status.startswith("5")


class Sized(Body):
    def __len__(self):
        return len(self.pieces)


def test_a_server_can_still_take_the_length_of_a_body(serve):
    assert len(serve(returning(Sized(PAGE))).body) == 1
    assert not hasattr(serve(returning(Body(PAGE))).body, "__len__")


def test_head_is_no_page_view(serve, sender, tracker):
    serve(returning([]), method="HEAD")

    assert sender.hits == []
    assert tracker.stats().not_tracked == {"method": 1}


def test_a_page_that_the_browser_has_is_a_page_view_without_cookie(serve, sender):
    def app(environ, start_response):
        start_response("304 Not Modified", [])
        return []

    server = serve(app)

    assert server.heads == [("304 Not Modified", [])]
    assert len(sender.hits) == 1


@pytest.mark.parametrize(
    "cache_control", ["public", "s-maxage=60", "max-age=600", "Max-Age=5, public"]
)
def test_what_a_shared_cache_may_keep_carries_no_cookie(serve, sender, cache_control):
    def app(environ, start_response):
        start_response("200 OK", [*HTML, ("Cache-Control", cache_control)])
        return [PAGE]

    [(_, headers)] = serve(app).heads

    assert headers == [*HTML, ("Cache-Control", cache_control)]
    assert len(sender.hits) == 1


def test_cookies_of_the_application_stay(serve):
    def app(environ, start_response):
        start_response("200 OK", [*HTML, ("Set-Cookie", "theirs=1")])
        return [PAGE]

    [(_, headers)] = serve(app).heads

    assert headers[1] == ("Set-Cookie", "theirs=1")
    assert headers[2][1].startswith("vn=")


def test_the_applications_own_list_of_headers_is_not_changed(serve):
    headers = list(HTML)

    def app(environ, start_response):
        start_response("200 OK", headers)
        return [PAGE]

    serve(app)

    assert headers == HTML


def test_installed_twice_it_counts_once(tracker, sender, browser):
    app = TrackingMiddleware(TrackingMiddleware(page, tracker), tracker)
    server = Server(app)
    server.serve(environ_of(browser))

    assert len(sender.hits) == 1
    assert len([h for h in server.heads[0][1] if h[0] == "Set-Cookie"]) == 1


def test_it_passes_the_validator_inside_and_outside(tracker, browser, sender):
    app = validator(TrackingMiddleware(validator(page), tracker))
    environ = environ_of(browser)
    body = app(environ, lambda status, headers, exc_info=None: lambda data: None)
    assert b"".join(body) == PAGE
    body.close()

    assert len(sender.hits) == 1


def test_a_generator_passes_the_validator(tracker, browser, sender):
    def app(environ, start_response):
        start_response("200 OK", HTML)
        yield PAGE

    wrapped = validator(TrackingMiddleware(validator(app), tracker))
    body = wrapped(
        environ_of(browser), lambda status, headers, exc_info=None: lambda data: None
    )
    assert b"".join(body) == PAGE
    body.close()

    assert titles(sender) == ["A page"]


def test_two_requests_at_once_do_not_mix(tracker, sender, browser):
    def app(environ, start_response):
        start_response("200 OK", HTML)
        name = environ["PATH_INFO"].strip("/")
        yield f"<title>{name}</title>".encode()
        current().event("Read", name)
        yield b"rest"

    middleware = TrackingMiddleware(app, tracker)
    bodies = [
        middleware(environ_of(browser, path), lambda *a: None)
        for path in ("/one", "/two")
    ]
    iterators = [iter(body) for body in bodies]
    for _ in range(2):
        for iterator in iterators:
            next(iterator)
    for body in bodies:
        body.close()

    said = [(hit.context.page.path, hit.context.page.title) for hit in sender.hits]
    assert said == [("/one", "one")] * 2 + [("/two", "two")] * 2
    assert [hit.action for hit in sender.hits[1::2]] == ["one", "two"]


def test_it_never_touches_the_request_body(tracker, browser):
    class Untouchable:
        def __getattr__(self, name):
            raise AssertionError(name)

    environ = environ_of(browser, **{"wsgi.input": Untouchable()})

    assert Server(TrackingMiddleware(page, tracker)).serve(environ) == PAGE


def test_a_malformed_status_is_for_the_server_to_refuse(serve, sender):
    serve(returning([PAGE], "odd"))

    assert sender.hits == []


def test_a_mounted_application_has_its_public_url(serve, sender):
    serve(page, "/a", SCRIPT_NAME="/shop")

    assert sender.hits[0].context.page.path == "/shop/a"
