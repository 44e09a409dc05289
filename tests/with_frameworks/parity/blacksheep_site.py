"""BlackSheep, by the ASGI middleware."""

from blacksheep import Application, Content, Response, StreamedContent
from shop import ROUTES, tracker

from server_tracking.asgi import TrackingMiddleware

site = Application()


def view_of(handler):
    async def view():
        status, headers, pieces = handler()
        kind = headers.get("content-type", "text/plain").encode()
        rest = [(k.encode(), v.encode()) for k, v in headers.items()]
        rest = [(name, value) for name, value in rest if name != b"content-type"]

        async def stream():
            for piece in pieces:
                yield piece

        whole = b"".join(pieces)
        body = StreamedContent(kind, stream) if pieces[1:] else Content(kind, whole)
        return Response(status, rest, body)

    return view


for _, method, url, handler in ROUTES:
    site.router.add(method, url, view_of(handler))
app = TrackingMiddleware(site, tracker)
