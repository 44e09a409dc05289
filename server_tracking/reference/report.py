"""Write tables of parameters: for people, for the docs, for machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from server_tracking.reference.rows import Row, Source

__all__ = ["as_json", "as_markdown", "as_text", "said_by"]

_HEAD = ("Parameter", "Meaning", "Said by")
_ABOUT = """\
# All parameters

What each system's protocol has, what it means, and what of this library says it.
The page is what `server-tracking parameters --markdown` prints; nobody writes it.
The command finds the last column out: it changes one field of a sample hit after another, and looks what changes on the wire.

| said by | |
|---|---|
| `Event.label` | this field of this kind of hit |
| `Hit.context.page.title` | this field of any hit that has something to say there |
| `A`, else `B` | `B`, where `A` is absent |
| option `debug` | this argument of the system |
| the library | always the same, or decided by the kind of hit |
| `extra=` | no field of ours: `extra={"name of the system": {...}}` of a hit sends it raw |

`<n>` is an index, `<name>` a name of the site's own.

"""

Tables = Mapping[str, Sequence[Row]]


def as_text(tables: Tables) -> str:
    """Write *tables* (rows by the name of the system) in aligned columns."""
    parts = []
    for system, rows in tables.items():
        cells = [_HEAD, *(_cells(row, str) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                text.ljust(width) for text, width in zip(row, widths, strict=True)
            )
            for row in cells
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        table = "\n".join(line.rstrip() for line in lines)
        parts.append(f"{system}: {_summary(rows)}\n\n{table}\n")
    return "\n".join(parts)


def as_markdown(tables: Tables) -> str:
    """Write *tables* as the page of the docs."""
    parts = []
    for system, rows in tables.items():
        lines = ["| parameter | meaning | said by |", "|---|---|---|"]
        for row in rows:
            name, meaning, said = (_escaped(text) for text in _cells(row, _code))
            lines.append(f"| {name} | {meaning} | {said} |")
        table = "\n".join(lines)
        parts.append(f"## {system}\n\n{_summary(rows)}\n\n{table}\n")
    return _ABOUT + "\n".join(parts)


def as_json(tables: Tables) -> str:
    """Write *tables* as one JSON object."""
    found = {
        "systems": [
            {"system": system, "parameters": rows} for system, rows in tables.items()
        ]
    }
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def said_by(row: Row, code: Callable[[str], str] = str) -> str:
    """Say in words what says *row*; *code* marks what is code."""
    parts = [
        _fields(row, code, lambda source: not source.option and not source.spare),
        _fields(row, code, lambda source: not source.option and source.spare),
    ]
    parts[1:] = [f"else {parts[1]}"] if parts[1] else []
    for option in dict.fromkeys(source.option for source in row.sources):
        fields = _fields(row, code, lambda source, o=option: source.option == o)  # type: ignore[misc]
        if option:
            with_it = f"option {code(option)}"
            parts.append(f"{fields} with {with_it}" if fields else with_it)
    said = ", ".join(filter(None, parts))
    if said or row.note:
        return said or row.note
    if row.own:
        return "the library"
    return code("extra=") if row.extra else "not sent"


def _fields(
    row: Row, code: Callable[[str], str], wanted: Callable[[Source], bool]
) -> str:
    found = (code(source.field) for source in row.sources if wanted(source))
    return ", ".join(text for text in found if text != code(""))


def _summary(rows: Sequence[Row]) -> str:
    """Count what says the parameters."""
    by_field = sum(any(s.field for s in row.sources) for row in rows)
    by_option = sum(bool(row.sources) for row in rows) - by_field
    rest = [row for row in rows if not row.sources]
    own = sum(row.own and not row.note for row in rest)
    extra = sum(row.extra and not row.own and not row.note for row in rest)
    counts = [
        (by_field, "from fields of hits"),
        (by_option, "from options"),
        (own, "by the library itself"),
        (extra, "by extra="),
        (len(rest) - own - extra, "not sent"),
    ]
    said = ", ".join(f"{number} {what}" for number, what in counts if number)
    return f"{len(rows)} parameters: {said}."


def _cells(row: Row, code: Callable[[str], str]) -> tuple[str, str, str]:
    return code(row.name), row.meaning, said_by(row, code)


def _code(text: str) -> str:
    return f"`{text}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
