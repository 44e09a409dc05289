"""What the inspector keeps, in memory and in a file, and how it is looked for."""

import sqlite3

import pytest

from server_tracking.calls import Problem
from server_tracking.inspector.database import HitDatabase
from server_tracking.inspector.protocols import (
    HIDDEN,
    Answer,
    DecodedHit,
    Parameter,
    Received,
)
from server_tracking.inspector.queries import Query, query_from
from server_tracking.inspector.raw import curl_of, raw_call
from server_tracking.inspector.store import HitStore

NOTE = Problem("dt", "is too long")
FATAL = Problem("tid", "is missing", fatal=True)


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    if request.param == "memory":
        yield HitStore()
        return
    database = HitDatabase(tmp_path / "hits.sqlite")
    yield database
    database.release()


def call(path="/collect", query="", body=b"", **headers):
    return Received("POST", path, query, headers, body, time=1.0)


def hit(system="matomo", kind="pageview", **fields):
    return DecodedHit(system=system, kind=kind, **fields)


def numbers(hits):
    return [stored.number for stored in hits]


def test_hits_come_oldest_first_and_in_pieces(store):
    store.add(call(), [hit(), hit()], Answer(200))
    store.add(call(), [hit()], Answer(204))

    assert numbers(store.hits()) == [1, 2, 3]
    assert numbers(store.hits(after=1)) == [2, 3]
    assert numbers(store.hits(after=0, limit=2)) == [1, 2]
    assert [stored.call for stored in store.hits()] == [1, 1, 3]
    assert [stored.status for stored in store.hits()] == [200, 200, 204]
    assert store.newest == 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"before": "4"}, [3, 2, 1]),
        ({"after": "3"}, [5, 4]),
        ({"system": "umami"}, [2]),
        ({"kind": "event"}, [3]),
        ({"state": "valid"}, [5, 2, 1]),
        ({"state": "noted"}, [3]),
        ({"state": "refused"}, [4]),
        ({"state": "problems"}, [4, 3]),
        ({"state": "nonsense"}, [5, 4, 3, 2, 1]),
        ({"visitor": "ann"}, [5, 1]),
        ({"visitor": "an"}, []),
        ({"path": "FERN"}, [2, 1]),
        ({"path": "100%"}, [5]),
        ({"path": "_"}, []),
        ({"words": "TOO LONG"}, [4, 3]),
        ({"words": "Größe"}, [2]),
        ({"words": "fern", "system": "matomo"}, [1]),
    ],
    ids=str,
)
def test_a_query_finds_what_it_says_newest_first(store, query, found):
    for one in (
        hit(path="/fern", client_id="ann"),
        hit("umami", path="/plants/fern", title="Größe"),
        hit(kind="event", problems=[NOTE]),
        hit(problems=[NOTE, FATAL]),
        hit(path="/100%", user_id="ann"),
    ):
        store.add(call(), [one], Answer(200))

    assert numbers(store.find(query_from(query), 100)) == found
    assert numbers(store.find(query_from(query), 2)) == found[:2]


def test_what_is_kept_outlives_clearing_with_its_call(store):
    store.add(call(body=b"one"), [hit(), hit()], Answer(200))
    store.add(call(body=b"two"), [hit()], Answer(200))
    store.keep(2)

    store.clear()

    assert store.kept == {2}
    assert numbers(store.hits()) == [2]
    assert store.call(2).body == "one"
    assert store.call(3) is None
    assert store.cleared == 3
    store.add(call(), [hit()], Answer(200))
    assert numbers(store.find(Query(), 10)) == [4, 2]
    store.keep(2, keep=False)
    store.clear()
    assert store.hits() == []


def test_in_memory_the_newest_are_kept_and_those_that_were_asked_for():
    store = HitStore(size=2)
    for number in range(1, 5):
        store.add(call(body=b"%d" % number), [hit()], Answer(200))
        if number == 1:
            store.keep(1)

    assert numbers(store.hits()) == [1, 3, 4]
    assert store.call(1).body == "1"
    assert store.call(2) is None


def test_a_file_outlives_its_inspector(tmp_path):
    path = tmp_path / "hits.sqlite"
    first = HitDatabase(path)
    first.add(call(), [hit(path="/fern")], Answer(200))
    first.keep(1)
    first.release()

    again = HitDatabase(path)

    assert again.run == first.run
    assert again.kept == {1}
    again.add(call(), [hit(path="/fig")], Answer(200))
    assert [(one.number, one.hit.path) for one in again.hits()] == [
        (1, "/fern"),
        (2, "/fig"),
    ]
    again.release()


def test_a_file_that_is_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but of some length " * 99)

    with pytest.raises(sqlite3.DatabaseError):
        HitDatabase(path)

    assert path.read_text().startswith("not a database")


SECRET = [Parameter("token_auth", HIDDEN), Parameter("idsite", "1")]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("idsite=1&token_auth=s3cret", b""),
        ("", b"token_auth=s3cret&idsite=1"),
        ("", b'{"requests": ["?idsite=1"], "token_auth": "s3cret"}'),
        ("", b'{"requests": ["?idsite=1&token_auth=s3cret"]}'),
    ],
)
def test_secrets_are_hidden_in_the_raw_call(query, body):
    raw = raw_call(call(query=query, body=body), [hit(parameters=SECRET)])

    assert "s3cret" not in f"{raw.target} {raw.body}"
    assert "idsite=1" in f"{raw.target} {raw.body}"
    assert HIDDEN in f"{raw.target} {raw.body}"


def test_credentials_in_headers_are_hidden():
    raw = raw_call(call(authorization="Bearer s3cret", accept="*/*"), [hit()])

    assert raw.headers == {"authorization": HIDDEN, "accept": "*/*"}


def test_a_long_body_is_kept_in_part():
    raw = raw_call(call(body=b"x" * 500_000), [])

    assert len(raw.body) == 64 * 1024
    assert not raw.whole
    assert not raw_call(call(body=b"\xff"), []).whole


def test_a_call_is_written_for_a_shell():
    raw = raw_call(
        call(query="a=1&b=it's", body=b'{"q": 1}', host="x", accept="text/x"), []
    )

    assert curl_of(raw, "http://127.0.0.1:8001") == (
        "curl -X POST 'http://127.0.0.1:8001/collect?a=1&b=it'\"'\"'s' "
        "-H 'accept: text/x' --data-raw '{\"q\": 1}'"
    )


def test_a_reach_bounds_how_many_hits_are_looked_through(store):
    store.add(call(), [hit(name=str(n)) for n in range(10)], Answer(200))

    def within(reach, **query):
        return numbers(store.find(Query(**query).within(store.newest, reach), 100))

    assert within(3) == [10, 9, 8]
    assert within(3, before=8) == [7, 6, 5]
    assert within(3, after=9) == [10]
    assert within(1 << 62) == list(range(10, 0, -1))
