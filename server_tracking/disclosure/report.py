"""The report of data flows, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from server_tracking.disclosure.fields import FIELDS
from server_tracking.disclosure.flows import DataFlows, Flow

__all__ = ["as_json", "as_markdown"]


def as_json(flows: DataFlows) -> str:
    """Write *flows* as one JSON object."""
    return msgspec.json.format(msgspec.json.encode(flows)).decode() + "\n"


def as_markdown(flows: DataFlows) -> str:
    """Write *flows* as a table for each system."""
    lines = [
        "# What is told to whom",
        "",
        "Found by asking each system what it would send. No legal advice: what you",
        "put into events and properties, and what the law asks for, only you know.",
        "",
        f"- Consent mode: `{flows.consent_mode}`",
        f"- IP address: {flows.address}",
        f"- Address of the page: {flows.url}",
    ]
    for flow in flows.flows:
        lines += ["", *_section(flow)]
    return "\n".join(lines) + "\n"


def _section(flow: Flow) -> Iterator[str]:
    yield f"## {flow.system}"
    yield ""
    way = "encrypted" if flow.encrypted else "NOT encrypted"
    yield f"Goes to {flow.company} ({flow.host}), {way}."
    if flow.own_ends:
        yield "The receiver uses the data for ends of its own as well."
    if flow.tag_cookies:
        names = ", ".join(f"`{name}`" for name in flow.tag_cookies)
        yield f"The ids in the cookies of its own tag are read: {names}."
    yield ""
    heads = [f"visitor said {situation.what}" for situation in flow.situations]
    yield f"| data | {' | '.join(heads)} |"
    yield "|---" * (len(heads) + 1) + "|"
    for field in FIELDS:
        told = [field in situation.fields for situation in flow.situations]
        if any(told):
            marks = " | ".join("yes" if one else "-" for one in told)
            yield f"| {field} | {marks} |"
    ads = " | ".join(
        "allowed" if one.advertising else "denied" if one.fields else "-"
        for one in flow.situations
    )
    yield f"| use for advertising | {ads} |"
    kept = " | ".join(situation.cookie for situation in flow.situations)
    yield f"| kept at the visitor's | {kept} |"
