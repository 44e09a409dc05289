"""CelerySender and the context of tasks, with a broker in memory."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import msgspec
import pytest

from server_tracking import ConfigurationError, Tracker, current
from server_tracking.calls import Limits
from server_tracking.exchange import Request
from server_tracking.hits import decode_hits, encode_hits
from server_tracking.observation import Observation
from server_tracking.reasons import Reason
from server_tracking.senders import Counts
from server_tracking.tasks import propagate_context
from server_tracking.testing.samples import sample_hits
from server_tracking.testing.senders import ContractSystem, SenderContract, adds_up
from server_tracking.tracker import collector as observing

celery = pytest.importorskip("celery")

from celery.app.trace import build_tracer  # noqa: E402

from server_tracking.senders.celery import CelerySender  # noqa: E402

PATIENCE = 10.0
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
numbers = count()
event = SenderContract().event


class TestTheContractWhileTheBrokerIsAway(SenderContract):
    """Sent directly, hits fare as they do with any other sender."""

    def make_sender(self):
        app = celery.Celery(broker="redis://127.0.0.1:9/0")
        return CelerySender(app, fallback="direct")


class Collector(ThreadingHTTPServer):
    """Answer each call with the next of *statuses*, and the last for ever."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        self.statuses = [(204, {})]
        self.calls = []
        self.came = threading.Condition()

    @property
    def categories(self):
        return sorted(category for call in self.calls for category in call)

    def wait_for(self, number):
        with self.came:
            assert self.came.wait_for(lambda: len(self.calls) >= number, PATIENCE)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        with server.came:
            server.calls.append(json.loads(body))
            status, headers = server.statuses[0]
            del server.statuses[: len(server.statuses) > 1]
            server.came.notify_all()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0") if status != 204 else None
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def collector():
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def app():
    """An app with a queue of its own: the broker in memory is one for all."""
    app = celery.Celery(set_as_current=False)
    app.conf.update(
        broker_url="memory://",
        task_default_queue=f"queue-{next(numbers)}",
        broker_transport_options={"polling_interval": 0.01},
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    yield app
    app.close()


@pytest.fixture
def make_sender(app):
    made = []

    def make(*urls, system=ContractSystem, **options):
        sender = CelerySender(app, **options)
        sender.bind([system(url) for url in urls])
        made.append(sender)
        return sender

    yield make
    for sender in made:
        sender.close(0.0)


def messages(app):
    """Take the messages that wait in the app's queue."""
    found = []
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue, no_ack=True)
        while queue.qsize():
            found.append(queue.get(timeout=1))
        queue.close()
    return found


def work(app, most=20):
    """Run what waits in the queue as a worker does, without its countdowns."""
    for _ in range(most):
        waiting = messages(app)
        if not waiting:
            return
        for message in waiting:
            args, kwargs, embedded = message.payload
            task = app.tasks[message.headers["task"]]
            trace = build_tracer(task.name, task, app=app)
            request = {**message.headers, **embedded, "args": args, "kwargs": kwargs}
            done = trace(message.headers["id"], args, kwargs, request)
            assert done.info is None or done.info.state != "FAILURE", done.info


def counts_of(sender, name="contract"):
    counts = sender.stats().get(name, Counts())
    assert adds_up(counts)
    return counts


# What travels


def test_a_message_is_versioned_json_in_the_keyword_arguments(app, make_sender):
    sender = make_sender("http://127.0.0.1:9/secret-path")
    now = time.time()
    hits = [msgspec.structs.replace(hit, time=now) for hit in sample_hits()]
    for hit in hits:
        sender.send(hit)

    assert sender.flush(PATIENCE)

    [message] = messages(app)
    args, kwargs, _ = message.payload
    assert message.content_type == "application/json"
    assert args == []
    assert set(kwargs) == {"version", "system", "hits", "attempt"}
    assert (kwargs["version"], kwargs["system"], kwargs["attempt"]) == (
        1,
        "contract",
        1,
    )
    assert decode_hits(kwargs["hits"].encode()) == hits
    assert counts_of(sender).delivered == len(hits)


def test_no_secret_and_no_visitor_is_in_what_the_worker_logs(app, make_sender):
    sender = make_sender("http://user:secret@127.0.0.1:9/")
    sender.send(event("Basket"))
    sender.flush(PATIENCE)

    [message] = messages(app)

    assert b"secret" not in message.body
    assert "Basket" not in str(message.headers)


def test_a_message_holds_a_hundred_hits_at_most_and_256_kib(app, make_sender):
    sender = make_sender("http://127.0.0.1:9/", max_bytes=2**30)
    for _ in range(150):
        sender.send(event())
    for _ in range(40):
        sender.send(event("x" * 20_000))
    sender.flush(PATIENCE)

    taken = [message.payload[1]["hits"] for message in messages(app)]

    assert sum(len(decode_hits(hits.encode())) for hits in taken) == 190
    assert all(len(hits) <= 256 * 1024 for hits in taken)
    assert all(len(decode_hits(hits.encode())) <= 100 for hits in taken)


def test_each_system_gets_messages_of_its_own(app, make_sender):
    sender = make_sender("http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    sender.send(event())
    sender.flush(PATIENCE)

    systems = sorted(message.payload[1]["system"] for message in messages(app))

    assert systems == ["contract", "contract-2"]


def test_before_send_is_called_before_the_broker_sees_a_hit(app, make_sender):
    def before_send(hit):
        if hit.category == "private":
            return None
        return msgspec.structs.replace(hit, category="changed")

    sender = make_sender("http://127.0.0.1:9/", before_send=before_send)
    sender.send(event("private"))
    sender.send(event("open"))
    sender.flush(PATIENCE)

    [message] = messages(app)
    [hit] = decode_hits(message.payload[1]["hits"].encode())
    assert hit.category == "changed"
    assert counts_of(sender).rejected == {Reason.HOOK: 1}


def test_a_queue_may_be_named(app, make_sender):
    sender = make_sender("http://127.0.0.1:9/", queue="tracking")
    sender.send(event())
    sender.flush(PATIENCE)

    app.conf.task_default_queue = "tracking"
    assert len(messages(app)) == 1


# What a worker makes of it


def test_hits_arrive_and_are_counted_on_both_sides(app, make_sender, collector):
    sender = make_sender(collector.url)
    for number in range(25):
        sender.send(event(f"n{number}"))

    assert sender.flush(PATIENCE)
    work(app)

    assert counts_of(sender, "contract@worker").delivered == 25

    assert counts_of(sender).delivered == 25
    assert collector.categories == sorted(f"n{n}" for n in range(25))


def test_what_was_not_taken_is_put_back_and_tried_again(app, make_sender, collector):
    collector.statuses = [(503, {}), (204, {})]
    sender = make_sender(collector.url)
    sender.send(event("late"))
    sender.flush(PATIENCE)

    work(app)

    assert collector.calls == [["late"], ["late"]]
    assert counts_of(sender, "contract@worker").submitted == 1


def test_what_may_have_been_counted_is_not_sent_twice(app, make_sender, collector):
    collector.statuses = [(500, {})]
    sender = make_sender(collector.url)
    sender.send(event())
    sender.flush(PATIENCE)

    work(app)

    assert len(collector.calls) == 1
    assert messages(app) == []


def test_a_hit_that_is_refused_takes_no_other_with_it(app, make_sender, collector):
    collector.statuses = [(400, {}), (204, {}), (400, {}), (204, {}), (400, {})]
    sender = make_sender(collector.url)
    for number in range(4):
        sender.send(event(f"n{number}"))
    sender.flush(PATIENCE)

    work(app)

    counts = counts_of(sender, "contract@worker")
    assert counts.delivered + counts.rejected[Reason.REFUSED] == 4
    assert counts.delivered >= 2


def run(app, sender, *hits, **message):
    """Run the task here, as `apply` does: then there is nobody to put hits back to."""
    fields = {"version": 1, "system": "contract", "attempt": 1, **message}
    fields.setdefault("hits", encode_hits(hits).decode())
    done = app.tasks["server_tracking.deliver"].apply(kwargs=fields)
    assert done.successful(), done.traceback
    return counts_of(sender, f"{fields['system']}@worker")


def test_old_hits_expire(app, make_sender, collector):
    sender = make_sender(collector.url)
    age = Limits().max_age
    old = msgspec.structs.replace(event("old"), time=time.time() - age - 60)

    counts = run(app, sender, old, event("new"))

    assert (counts.expired, counts.delivered) == (1, 1)
    assert collector.calls == [["new"]]


def test_a_message_that_is_none_is_refused_and_counted(app, make_sender, collector):
    sender = make_sender(collector.url)

    counts = run(app, sender, hits="no hits")

    assert counts.refused == {Reason.INVALID: 1}


def test_without_a_broker_to_put_hits_back_to_they_are_given_up(
    app, make_sender, collector
):
    collector.statuses = [(503, {})]
    drops = []
    sender = make_sender(collector.url, on_drop=lambda *what: drops.append(what))

    counts = run(app, sender, event(), event())

    assert counts.abandoned == 2
    assert drops == [("contract", "abandoned", 2)]


def test_an_app_that_is_always_eager_delivers_from_the_thread(
    app, make_sender, collector
):
    app.conf.task_always_eager = True
    sender = make_sender(collector.url)
    sender.send(event())

    assert sender.flush(PATIENCE)
    assert counts_of(sender, "contract@worker").delivered == 1


class TestPutBack:
    """A worker's first try, and the message that it leaves."""

    @pytest.fixture
    def left(self, app, make_sender, collector):
        sent = []
        send_task = app.send_task

        def left(hits, **message):
            make_sender(collector.url)
            fields = {"version": 1, "system": "contract", "attempt": 1, **message}
            send_task(
                "server_tracking.deliver",
                kwargs={"hits": encode_hits(hits).decode(), **fields},
            )
            # What the worker publishes is looked at, and goes no further.
            app.send_task = lambda name, **how: sent.append(how)
            work(app)
            del app.send_task
            return sent[0]

        return left

    def test_it_holds_what_was_not_taken_and_counts_the_tries(self, left, collector):
        collector.statuses = [(204, {}), (503, {})]
        hits = [event(f"n{number}") for number in range(20)]

        how = left(hits)

        [_, refused] = collector.calls
        kept = decode_hits(how["kwargs"]["hits"].encode())
        assert [hit.category for hit in kept] == refused
        assert how["kwargs"]["attempt"] == 2
        assert how["retry"] is False

    def test_the_wait_has_full_jitter_and_a_bound_that_doubles(self, left, collector):
        collector.statuses = [(503, {})]

        how = left([event()], attempt=3)

        assert 1.0 <= how["countdown"] <= 8.0

    def test_retry_after_is_kept_to(self, left, collector):
        collector.statuses = [(429, {"Retry-After": "77"})]

        assert 76.0 < left([event()])["countdown"] <= 77 * 1.1

    def test_no_wait_comes_near_the_visibility_timeout(self, app, left, collector):
        app.conf.broker_transport_options = {
            "visibility_timeout": 20,
            "polling_interval": 0.01,
        }
        collector.statuses = [(429, {"Retry-After": "77"})]

        assert left([event()])["countdown"] == 10.0

    def test_bad_credentials_leave_the_system_alone_for_minutes(self, left, collector):
        collector.statuses = [(401, {})]

        assert 290 < left([event()])["countdown"] <= 300

    def test_a_system_that_is_not_known_here_is_left_to_other_workers(self, left):
        how = left([event()], system="matomo")

        assert how["kwargs"]["system"] == "matomo"
        assert how["kwargs"]["attempt"] == 2

    def test_a_later_version_is_left_to_later_workers_as_it_is(self, left):
        how = left([event()], version=2, colour="blue")

        assert how["kwargs"]["version"] == 2
        assert how["kwargs"]["colour"] == "blue"
        assert how["countdown"] == 60.0


def test_a_system_that_fails_for_three_batches_is_left_alone(
    app, make_sender, collector
):
    collector.statuses = [(503, {})]
    sender = make_sender(collector.url)

    for _ in range(5):
        counts = run(app, sender, event())

    assert len(collector.calls) == 3
    assert counts.abandoned == 5


# Without a broker


def test_hits_wait_for_a_broker_that_is_away(app, make_sender):
    app.conf.broker_url = "redis://127.0.0.1:9/0"
    sender = make_sender("http://127.0.0.1:9/", max_hits=10)

    begun = time.monotonic()
    accepted = [sender.send(event()) for _ in range(15)]
    assert time.monotonic() - begun < 0.5

    assert accepted == [True] * 10 + [False] * 5
    assert not sender.flush(0.3)
    counts = counts_of(sender)
    assert counts.refused == {Reason.QUEUE_FULL: 5}
    assert counts.queued + counts.waiting + counts.sending == 10


def test_a_broker_that_hangs_holds_up_neither_caller_nor_end(app, make_sender):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        app.conf.broker_url = f"pyamqp://127.0.0.1:{port}//"
        sender = make_sender("http://127.0.0.1:9/", broker_timeout=0.2)
        begun = time.monotonic()
        sender.send(event())
        assert time.monotonic() - begun < 0.2
        assert not sender.flush(0.5)
        assert not sender.close(0.1)

        assert time.monotonic() - begun < 5
        assert counts_of(sender).accepted == 1
        assert counts_of(sender).abandoned + counts_of(sender).unknown == 1


# Wrong use


@pytest.mark.parametrize(
    "options",
    [
        {"fallback": "pigeon"},
        {"broker_timeout": 0},
        {"timeout": float("inf")},
        {"max_hits": 0},
        {"max_bytes": 0},
        {"linger": -1},
        {"exit_timeout": float("nan")},
        {"transport": "pigeon"},
    ],
)
def test_a_wrong_option_is_named(app, options):
    with pytest.raises(ConfigurationError, match=f"'{next(iter(options))}'"):
        CelerySender(app, **options)


def test_an_app_is_a_celery_app():
    with pytest.raises(ConfigurationError, match="'app'"):
        CelerySender("shop.celery")


def test_a_sender_belongs_to_one_tracker(make_sender):
    with pytest.raises(ConfigurationError, match="one tracker"):
        make_sender("http://127.0.0.1:9/").bind([])


def test_trackers_of_one_app_share_the_task_if_their_systems_are_the_same(make_sender):
    make_sender("http://127.0.0.1:9/")
    make_sender("http://127.0.0.1:9/")

    with pytest.raises(ConfigurationError, match="another name"):
        make_sender("http://127.0.0.1:10/")
    make_sender("http://127.0.0.1:10/", name="other.deliver")


def test_a_sender_that_is_bound_has_not_loaded_the_app(app, make_sender):
    make_sender("http://127.0.0.1:9/")

    assert not app.finalized


# The context of a request in tasks


@pytest.fixture
def tracker(collector):
    tracker = Tracker(
        ContractSystem(collector.url), secret_key="a secret for tests", strict=True
    )
    yield tracker
    tracker.close(PATIENCE)


@contextlib.contextmanager
def request(tracker, **headers):
    """Be in a request."""

    def make(source, rule):
        given = {"user-agent": FIREFOX, "accept-language": "de", **headers}
        return Request("POST", "/checkout", host="shop.example", headers=given)

    observation = Observation(tracker, "a source", make)
    token = observing.set(observation)
    try:
        yield observation
    finally:
        observing.reset(token)


@pytest.fixture
def seen(app, tracker):
    """What a task has seen of its context."""
    seen = []

    @app.task(name="ship", bind=True, shared=False)
    def ship(task, times=0):
        here = current()
        seen.append(here and here.context)
        tracker.event("shipped")
        if task.request.retries < times:
            raise task.retry(countdown=0)

    @app.task(name="first", shared=False)
    def first():
        app.send_task("ship")

    propagate_context(app, tracker)
    return seen


def test_a_task_is_in_the_request_that_sent_it(app, tracker, seen, collector):
    with request(tracker) as observation:
        app.send_task("ship")
        visitor = observation.context.visitor.client_id

    work(app)
    tracker.flush(PATIENCE)

    [context] = seen
    assert context.visitor.client_id == visitor
    assert context.page.path == "/checkout"
    assert collector.categories == ["shipped"]


def test_a_task_without_a_request_is_in_none(app, tracker, seen):
    app.send_task("ship")

    work(app)

    assert seen == [None]


def test_a_try_again_and_a_task_of_a_task_are_in_the_same_request(app, tracker, seen):
    with request(tracker):
        app.send_task("ship", kwargs={"times": 1})
        app.send_task("first")

    work(app)

    assert len({context.visitor.client_id for context in seen}) == 1


def test_a_chain_is_in_the_request(app, tracker, seen):
    with request(tracker):
        (
            app.signature("ship", immutable=True)
            | app.signature("ship", immutable=True)
        )()

    work(app)

    assert None not in seen


def test_nothing_is_sent_for_a_visitor_who_has_refused(app, tracker, seen, collector):
    with request(tracker, **{"sec-gpc": "1"}):
        app.send_task("ship")

    work(app)
    tracker.flush(PATIENCE)

    assert seen == [None]
    assert collector.calls == []
    assert tracker.stats().not_tracked[Reason.DENIED] == 1


def test_an_eager_task_is_in_the_request_anyway(app, tracker, seen):
    app.conf.task_always_eager = True
    with request(tracker):
        app.tasks["ship"].delay()
        assert current() is not None

    assert len(seen) == 1


def test_setting_it_up_twice_does_no_harm(app, tracker, seen, collector):
    propagate_context(app, tracker)

    test_a_task_is_in_the_request_that_sent_it(app, tracker, seen, collector)
