"""Take in a request, whatever its size and packing."""

from __future__ import annotations

import time
import zlib

import msgspec
from starlette.requests import ClientDisconnect, Request

from server_tracking.calls import Problem
from server_tracking.inspector.protocols import DecodedHit, Parameter, Received

__all__ = ["LARGEST_BODY", "complaint", "decompressed", "received_from"]

LARGEST_BODY = 32 * 1024 * 1024
"""Bytes; the largest that any system takes is PostHog's batch of 20 MiB."""
_SHOWN = 2000  # characters of a body that nobody understands


async def received_from(request: Request) -> tuple[Received, bool]:
    """Read *request*; tells besides whether its body was beyond `LARGEST_BODY`.

    What is beyond is thrown away, and the body is left empty then.
    """
    body, too_large = await _body(request)
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    received = Received(
        method=request.method,
        path=request.scope["path"].removeprefix(request.scope.get("root_path", "")),
        query=request.url.query,
        headers=headers,
        body=body,
        peer=request.client.host if request.client else None,
        time=time.time(),
    )
    return received, too_large


def decompressed(received: Received) -> Received | None:
    """Undo gzip and deflate; None if the body becomes larger than `LARGEST_BODY`.

    Gzip is known by its first bytes too, as some systems do. What cannot be undone
    stays as it came, for its system to complain of.
    """
    body = received.body
    encoding = received.headers.get("content-encoding", "").lower()
    if body[:2] == b"\x1f\x8b":
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    elif "deflate" in encoding:
        inflater = zlib.decompressobj()
    else:
        return received
    try:
        plain = inflater.decompress(body, LARGEST_BODY)
    except zlib.error:
        return received
    if inflater.unconsumed_tail:
        return None
    return msgspec.structs.replace(received, body=plain if inflater.eof else body)


def complaint(received: Received, system: str, field: str, message: str) -> DecodedHit:
    """Make a hit of a request that is none, so that it is seen all the same."""
    parameters = [Parameter("query", received.query)] if received.query else []
    kind = received.headers.get("content-type")
    if kind:
        parameters.append(Parameter("content-type", kind))
    if received.body:
        text = received.body[:_SHOWN].decode("utf-8", "replace")
        parameters.append(Parameter("body", text, "as far as shown"))
    return DecodedHit(
        system=system,
        kind="other",
        name=f"{received.method} {received.path}",
        path=received.path,
        user_agent=received.headers.get("user-agent", ""),
        parameters=parameters,
        problems=[Problem(field, message, fatal=True)],
    )


async def _body(request: Request) -> tuple[bytes, bool]:
    pieces: list[bytes] = []
    size = 0
    try:
        # Read to its end all the same: who still writes would not see the answer.
        async for piece in request.stream():
            size += len(piece)
            if size <= LARGEST_BODY:
                pieces.append(piece)
            else:
                pieces.clear()
    except ClientDisconnect:
        pass  # what came until then is looked at; nobody waits for the answer
    return b"".join(pieces), size > LARGEST_BODY
