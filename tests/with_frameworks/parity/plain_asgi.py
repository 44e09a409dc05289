"""No framework, ASGI."""

from shop import BY_PATH, HTML, tracker

from server_tracking.asgi import TrackingMiddleware


def missing():
    return 404, HTML, [b"<title>Nowhere</title>"]


async def site(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    handler = BY_PATH.get((scope["method"], scope["path"]), missing)
    status, headers, pieces = handler()
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    for piece in pieces:
        message = {"type": "http.response.body", "body": piece, "more_body": True}
        await send(message)
    await send({"type": "http.response.body", "body": b""})


app = TrackingMiddleware(site, tracker)
