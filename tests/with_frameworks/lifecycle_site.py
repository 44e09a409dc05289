"""A site for `test_lifecycle.py`: each request is one hit, named by its query.

When its process ends, it writes what became of the hits into the folder LEDGER: one
file for each process, with the counts of `Tracker.stats()`.
"""

import atexit
import json
import os
from pathlib import Path

import msgspec

FOLDER = Path(os.environ["LEDGER"])


def write_ledger():
    counts = msgspec.to_builtins(tracker.stats().systems["contract"])
    (FOLDER / f"{os.getpid()}.json").write_text(json.dumps(counts))


atexit.register(write_ledger)  # before the sender's own, so that it runs after it

from server_tracking import Tracker  # noqa: E402
from server_tracking.asgi import TrackingMiddleware as ASGIMiddleware  # noqa: E402
from server_tracking.senders.thread import ThreadSender  # noqa: E402
from server_tracking.testing.senders import ContractSystem  # noqa: E402
from server_tracking.wsgi import TrackingMiddleware as WSGIMiddleware  # noqa: E402

# It lingers longer than any test takes: what arrives was flushed.
tracker = Tracker(
    ContractSystem(os.environ["COLLECTOR"], hits_per_call=1000),
    sender=ThreadSender(linger=float(os.environ.get("LINGER", "60"))),
    secret_key="a secret key for tests",
    ignore_bots=False,  # the test's own client is one
)


def wsgi_site(environ, start_response):
    tracker.event(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]


async def asgi_site(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    tracker.event(scope["query_string"].decode())
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


wsgi = WSGIMiddleware(wsgi_site, tracker)
_asgi = ASGIMiddleware(asgi_site, tracker)


async def asgi(scope, receive, send):
    await _asgi(scope, receive, send)
    if scope["type"] == "lifespan":
        write_ledger()  # after SIGTERM, uvicorn runs no atexit
