"""The ASGI middleware: every message as it came, under asyncio and trio."""

import threading

import anyio
import pytest

from server_tracking import ExceptionHit, current
from server_tracking.asgi import TrackingMiddleware

HTML = [(b"content-type", b"text/html; charset=utf-8")]
PAGE = b"<!doctype html><title>A page</title><p>Hello"


@pytest.fixture(params=["asyncio", "trio"])
def run(request):
    """Run a coroutine function on each event loop."""

    def run(function, *args):
        return anyio.run(function, *args, backend=request.param)

    return run


def scope_of(headers, path="/", **more):
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    base = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"example.com"), *raw],
        "client": ("203.0.113.77", 40000),
        "server": ("127.0.0.1", 8000),
        "extensions": {},
    }
    return {**base, **more}


async def untouched():
    raise AssertionError("the request body is not ours")


class Client:
    """Take the messages; leave after *stay* of them."""

    def __init__(self, stay=None):
        self.messages = []
        self.stay = stay

    async def send(self, message):
        if self.stay is not None and len(self.messages) >= self.stay:
            raise OSError("the client has left")
        self.messages.append(message)

    @property
    def body(self):
        return b"".join(m.get("body", b"") for m in self.messages[1:])


def answering(*messages, headers=HTML, status=200):
    """Make an application that sends a head and then *messages*."""

    async def app(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        for message in messages:
            await send(message)

    return app


def piece(body, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


@pytest.fixture
def serve(tracker, browser, run):
    def serve(app, path="/", client=None, **more):
        client = client or Client()
        middleware = TrackingMiddleware(app, tracker)
        run(middleware, scope_of(browser, path, **more), untouched, client.send)
        return client

    return serve


def titles(sender):
    return [hit.context.page.title for hit in sender.hits]


def test_a_page_is_tracked_once_with_its_title(serve, sender):
    client = serve(answering(piece(PAGE)), "/shop", query_string=b"utm_source=mail")

    assert client.body == PAGE
    [hit] = sender.hits
    assert hit.context.page.title == "A page"
    assert hit.context.page.url == "https://example.com/shop?utm_source=mail"
    assert hit.context.campaign.source == "mail"
    assert hit.context.address == "203.0.113.0"


def test_the_visitor_gets_a_secure_cookie_over_https(serve):
    [start, _] = serve(answering(piece(PAGE))).messages

    [cookie] = [value for name, value in start["headers"] if name == b"set-cookie"]
    assert cookie.startswith(b"vn=1.")
    assert cookie.endswith(b"; Path=/; Secure; HttpOnly; SameSite=Lax")


def test_messages_go_out_as_they_came_and_at_once(serve, sender):
    messages = [piece(b"<title>Stre", True), piece(b"amed</title>", True), piece(b"")]

    client = serve(answering(*messages))

    assert all(
        sent is given for sent, given in zip(client.messages[1:], messages, strict=True)
    )
    assert titles(sender) == ["Streamed"]


def test_the_hit_is_made_at_the_last_piece_before_background_work(serve, sender):
    seen = []

    async def app(scope, receive, send):
        await answering(piece(PAGE))(scope, receive, send)
        seen.append(len(sender.hits))
        current().event("Background", "Done")

    serve(app)

    assert seen == [1]
    assert sender.hits[1].category == "Background"
    assert sender.hits[1].context == sender.hits[0].context


def test_background_work_behind_a_request_that_is_no_page_can_track(serve, sender):
    async def app(scope, receive, send):
        await answering(piece(b"{}"), headers=[(b"content-type", b"application/json")])(
            scope, receive, send
        )
        current().event("Background", "Done")

    serve(app, method="POST")

    assert [hit.category for hit in sender.hits] == ["Background"]


def test_headers_that_can_be_read_once_are_not_lost(serve):
    client = serve(
        answering(
            piece(PAGE),
            headers=iter([*HTML, (b"cache-control", b"public")]),
        )
    )

    assert list(client.messages[0]["headers"]) == [*HTML, (b"cache-control", b"public")]


def test_the_applications_own_message_is_not_changed(run, tracker, browser):
    start = {"type": "http.response.start", "status": 200, "headers": list(HTML)}

    async def app(scope, receive, send):
        await send(start)
        await send(piece(PAGE))

    client = Client()
    run(TrackingMiddleware(app, tracker), scope_of(browser), untouched, client.send)

    assert start["headers"] == HTML
    assert len(client.messages[0]["headers"]) == 2


@pytest.mark.parametrize("kind", ["websocket", "something.new"])
def test_other_scopes_pass_untouched(run, tracker, sender, kind):
    passed = []

    async def app(scope, receive, send):
        passed.append((scope, receive, send))

    scope = {"type": kind}
    run(TrackingMiddleware(app, tracker), scope, untouched, print)

    assert passed == [({"type": kind}, untouched, print)]
    assert passed[0][0] is scope
    assert sender.hits == []


class FlushCounter:
    """A tracker's flush that is seen, and answers as it is told."""

    def __init__(self, tracker, monkeypatch, *, works=True):
        self.calls = []
        self.works = works
        monkeypatch.setattr(tracker, "flush", self)

    def __call__(self, timeout):
        self.calls.append((threading.current_thread(), timeout))
        return self.works


def lifespan(*said):
    """Make an application that says its part of the lifespan protocol."""

    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        assert receive is untouched
        for kind in said:
            await send({"type": kind})

    return app


@pytest.mark.parametrize("end", ["complete", "failed"])
def test_hits_are_flushed_when_the_application_has_shut_down(
    run, tracker, monkeypatch, end
):
    flush = FlushCounter(tracker, monkeypatch)
    sent = []

    async def send(message):
        sent.append((message["type"], len(flush.calls)))

    said = ["lifespan.startup.complete", f"lifespan.shutdown.{end}"]
    run(
        TrackingMiddleware(lifespan(*said), tracker),
        {"type": "lifespan"},
        untouched,
        send,
    )

    assert sent == [(said[0], 0), (said[1], 1)]
    [(thread, timeout)] = flush.calls
    assert thread is not threading.current_thread()  # the loop is not held up
    assert timeout == 5.0


def test_lifespan_messages_go_out_as_they_came(run, tracker):
    messages = []

    async def send(message):
        messages.append(message)

    failed = {"type": "lifespan.startup.failed", "message": "no database"}

    async def app(scope, receive, send):
        await send(failed)

    run(TrackingMiddleware(app, tracker), {"type": "lifespan"}, untouched, send)

    assert len(messages) == 1
    assert messages[0] is failed


def test_an_application_without_lifespan_says_so_as_ever(run, tracker, monkeypatch):
    flush = FlushCounter(tracker, monkeypatch)

    async def app(scope, receive, send):
        raise NotImplementedError(scope["type"])

    with pytest.raises(NotImplementedError, match="lifespan"):
        run(TrackingMiddleware(app, tracker), {"type": "lifespan"}, untouched, print)

    assert flush.calls == []


def test_hits_that_could_not_be_sent_at_the_end_are_told_of(
    run, tracker, monkeypatch, caplog
):
    FlushCounter(tracker, monkeypatch, works=False)

    app = TrackingMiddleware(lifespan("lifespan.shutdown.complete"), tracker)
    run(app, {"type": "lifespan"}, untouched, Client().send)

    assert caplog.messages == ["Not all hits could be sent before the end."]


def test_a_client_that_leaves_is_counted_and_the_error_goes_on(serve, sender):
    client = Client(stay=2)

    with pytest.raises(OSError, match="has left"):
        serve(
            answering(piece(PAGE, True), piece(b"x", True), piece(b"")), client=client
        )

    assert titles(sender) == ["A page"]


def test_a_cancelled_request_is_counted(run, tracker, sender, browser):
    async def app(scope, receive, send):
        await answering(piece(PAGE, True))(scope, receive, send)
        await anyio.sleep_forever()

    async def cut_short():
        client = Client()
        async with anyio.create_task_group() as group:
            group.start_soon(
                TrackingMiddleware(app, tracker),
                scope_of(browser),
                untouched,
                client.send,
            )
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    run(cut_short)

    assert titles(sender) == ["A page"]


def test_an_error_before_the_answer_goes_on_and_is_no_page(serve, tracker):
    async def app(scope, receive, send):
        raise LookupError

    with pytest.raises(LookupError):
        serve(app)

    assert tracker.stats().not_tracked == {"unanswered": 1}


def test_an_error_is_a_hit_if_the_settings_say_so(make_tracker, sender, browser, run):
    async def app(scope, receive, send):
        raise LookupError("someone@example.com")

    middleware = TrackingMiddleware(app, make_tracker(pageview_server_exceptions=True))
    with pytest.raises(LookupError):
        run(middleware, scope_of(browser), untouched, Client().send)

    [hit] = sender.hits
    assert isinstance(hit, ExceptionHit)
    assert hit.description == "LookupError"


def test_a_file_sent_by_its_path_is_a_page_view(serve, sender):
    message = {"type": "http.response.pathsend", "path": "/srv/page.html"}

    client = serve(answering(message), extensions={"http.response.pathsend": {}})

    assert client.messages[1] is message
    assert len(sender.hits) == 1


def test_trailers_pass(serve, sender):
    trailers = {"type": "http.response.trailers", "headers": [(b"x", b"y")]}

    async def app(scope, receive, send):
        start = {"type": "http.response.start", "status": 200, "headers": HTML}
        await send({**start, "trailers": True})
        await send(piece(PAGE))
        await send(trailers)

    client = serve(app)

    assert client.messages[0]["trailers"] is True
    assert client.messages[2] is trailers
    assert len(sender.hits) == 1


def test_messages_of_other_kinds_pass(serve):
    hints = {"type": "http.response.early_hint", "links": [b"</a.css>"]}

    async def app(scope, receive, send):
        await send(hints)
        await answering(piece(PAGE))(scope, receive, send)

    assert serve(app).messages[0] is hints


def test_a_page_that_the_browser_has_carries_no_cookie(serve, sender):
    client = serve(answering(piece(b""), headers=[], status=304))

    assert client.messages[0]["headers"] == []
    assert len(sender.hits) == 1


def test_installed_twice_it_counts_once(run, tracker, sender, browser):
    app = TrackingMiddleware(
        TrackingMiddleware(answering(piece(PAGE)), tracker), tracker
    )
    client = Client()
    run(app, scope_of(browser), untouched, client.send)

    assert len(sender.hits) == 1
    assert len(client.messages[0]["headers"]) == 2


def test_many_requests_at_once_do_not_mix(run, tracker, sender, browser):
    async def app(scope, receive, send):
        name = scope["path"].strip("/")
        await send({"type": "http.response.start", "status": 200, "headers": HTML})
        await send(piece(f"<title>{name}</title>".encode(), True))
        await anyio.lowlevel.checkpoint()
        current().event("Read", name)
        await send(piece(b""))

    async def all_at_once():
        middleware = TrackingMiddleware(app, tracker)
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(
                    middleware,
                    scope_of(browser, f"/{number}"),
                    untouched,
                    Client().send,
                )

    run(all_at_once)

    assert len(sender.hits) == 100
    for view, event in zip(sender.hits[::2], sender.hits[1::2], strict=True):
        page = view.context.page
        assert page.path == f"/{page.title}" == f"/{event.action}"
    clients = {hit.context.visitor.client_id for hit in sender.hits}
    assert len(clients) == 50


def test_the_context_of_an_earlier_request_is_not_inherited(
    run, tracker, sender, browser
):
    seen = []

    async def app(scope, receive, send):
        seen.append(current())
        await answering(piece(PAGE))(scope, receive, send)

    async def one_after_the_other():
        middleware = TrackingMiddleware(app, tracker)
        for path in ("/a", "/b"):
            # As a server does that keeps one context for a connection.
            await middleware(scope_of(browser, path), untouched, Client().send)

    run(one_after_the_other)

    assert len(set(seen)) == 2
    assert [hit.context.page.path for hit in sender.hits] == ["/a", "/b"]


class BlockingSender:
    """A sender that does I/O in the thread that calls it."""

    blocking = True

    def __init__(self, inner):
        self.inner = inner
        self.threads = []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def send(self, hit):
        self.threads.append(threading.current_thread())
        return self.inner.send(hit)


def test_a_sender_that_blocks_does_not_hold_up_the_loop(run, sender, browser):
    from server_tracking import Tracker

    blocking = BlockingSender(sender)
    tracker = Tracker(sender=blocking, secret_key="a secret key for tests")

    async def serve():
        client = Client()
        middleware = TrackingMiddleware(answering(piece(PAGE)), tracker)
        await middleware(scope_of(browser), untouched, client.send)
        return threading.current_thread()

    loop_thread = run(serve)

    assert len(sender.hits) == 1
    assert loop_thread not in blocking.threads
