"""The rows of a system's table: each parameter, and what says it.

No list says where a parameter comes from. It is found out: a hit is changed in one
field after another, and what then changes on the wire comes from that field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Protocol, Union, get_args, get_origin, runtime_checkable

import msgspec

from server_tracking.errors import ConfigurationError
from server_tracking.hits import Event, Hit, PageView, ProductAction
from server_tracking.inspector.protocols import HIDDEN
from server_tracking.reference.hearing import Ear, Heard, told
from server_tracking.reference.variants import (
    MARK,
    bare_hits,
    full_hits,
    other_values,
    variants,
)
from server_tracking.systems import ParameterRow, System

__all__ = ["ParameterTable", "Row", "Source", "rows_of"]

_MANY = 2  # kinds of hits; what more of them say is said by any hit
_COMMON = ("context", "id", "params", "time")
_RAW = ("raw text", 7, {MARK: "raw text"})  # some parameter takes each, or any


@runtime_checkable
class ParameterTable(Protocol):
    """A system that lists its protocol. Without it, only what is heard has a row."""

    @classmethod
    def parameter_table(cls) -> Iterable[ParameterRow]:
        """List all parameters, each once."""
        ...


class Source(msgspec.Struct, frozen=True):
    """A *field* of hits that a parameter comes from, or else an *option*.

    With both, the field counts while the option is set. A *spare* one counts where
    the others are absent.
    """

    field: str = ""
    option: str = ""
    spare: bool = False


class Row(msgspec.Struct, frozen=True):
    """One parameter of a protocol.

    *own* tells whether the library says it by itself, with what kind of hit it is or
    always the same; *extra* whether ``extra=`` reaches it; *note* why a server cannot
    send it.
    """

    name: str
    meaning: str
    sources: tuple[Source, ...] = ()
    own: bool = False
    extra: bool = False
    note: str = ""


_Origins = dict[str, dict[tuple[str, str], None]]
# By the parameter: path of the field, and kind of the hit; in order.


def rows_of(kind: type[System]) -> list[Row]:
    """Make the table of the system *kind*: its protocol's rows, then others heard."""
    system = kind.example()
    listed = kind.parameter_table() if issubclass(kind, ParameterTable) else ()
    table = {row.name: row for row in listed}
    ear = Ear(table)
    sources = _sources(system, ear, table)
    own = set(ear.meanings) - sources.keys()
    # Values of a parameter have rows of their own, if a system lists them.
    valued = {name: _sayers(system, name, ear) for name in table if "=" in name}
    names = list(dict.fromkeys((*table, *ear.meanings, *sources)))
    reached = _reached(system, names, ear)
    return [
        Row(
            name,
            table[name].meaning if name in table else ear.meanings.get(name, ""),
            tuple(valued.get(name, sources.get(name, ()))),
            own=name in own,
            extra=name in reached,
            note=table[name].note if name in table else "",
        )
        for name in names
    ]


def _sayers(system: System, name: str, ear: Ear) -> list[Source]:
    """Find the hits that give a parameter the value in *name*: ``name=purchase``."""
    parameter, _, value = name.partition("=")

    def says(hit: Hit) -> bool:
        return value in ear.hear(system, [hit]).get(parameter, ())

    full = full_hits()
    found = dict.fromkeys(_written_hit(hit) for hit in full if says(hit))
    if not found:
        [event] = (hit for hit in full if isinstance(hit, Event))
        named = msgspec.structs.replace(event, category=value, action=None)
        found = dict.fromkeys(["Event.category"] if says(named) else [])
    return [Source(field) for field in found]


def _written_hit(hit: Hit) -> str:
    kind = type(hit).__name__
    return f'{kind}("{hit.action}")' if isinstance(hit, ProductAction) else kind


def _sources(system: System, ear: Ear, table: Iterable[str]) -> dict[str, list[Source]]:
    found: dict[str, list[Source]] = {}
    full = full_hits()
    _note(found, _origins(system, full, ear))
    _note(found, _origins(system, bare_hits(), ear), spare=True)
    plain = ear.hear(system, full)
    hidden = [name for name, values in plain.items() if {*values} == {HIDDEN}]
    for option, changed in _options(system, table):
        heard = ear.hear(changed, full)
        # What changes what is told, and nothing that is shown, is a secret.
        if hidden and heard == plain and told(changed, full) != told(system, full):
            found.update((name, [Source(option=option)]) for name in hidden)
        if _adds(heard, {**plain, **found}):
            of_these = [hit for hit in full if _adds(ear.hear(changed, [hit]), found)]
            said = _origins(changed, of_these, ear)
            new = {name: said[name] for name in said if name not in found}
            _note(found, new, option)
        for name in _differing(plain, heard):
            known = found.setdefault(name, [])
            # What is said of fewer hits than before says nothing of the option.
            fewer = len(heard.get(name, ())) < len(plain.get(name, ())) or (
                known and len(heard[name]) != len(plain.get(name, ()))
            )
            if not fewer and not any(option == source.option for source in known):
                known.append(Source(option=option))
    return {name: known for name, known in found.items() if known}


def _adds(heard: Heard, known: Mapping[str, Any]) -> bool:
    return bool(heard.keys() - known.keys())


def _note(
    found: dict[str, list[Source]],
    origins: _Origins,
    option: str = "",
    *,
    spare: bool = False,
) -> None:
    """Add *origins* to what was *found*, but for fields that are there already."""
    for name, of_name in origins.items():
        known = found.setdefault(name, [])
        fields = {source.field for source in known}
        known += [
            Source(field, option, spare=spare and bool(fields))
            for field in _written(of_name)
            if field not in fields
        ]


def _origins(system: System, hits: Iterable[Hit], ear: Ear) -> _Origins:
    """Change each field of each hit, and see what changes on the wire.

    A field whose value changes another counts before one that makes it come and go.
    """
    changing: _Origins = {}
    moving: _Origins = {}
    seen: set[str] = set()
    for hit in hits:
        kind = type(hit).__name__
        plain = ear.hear(system, [hit])
        for path, changed, chosen in variants(hit):
            if kind in seen and path.startswith("context."):
                continue  # the context of one product action is told like another's
            heard = ear.hear(system, [changed])
            if not plain or not heard:
                continue  # what is not told tells nothing
            for name in _differing(plain, heard):
                if name in plain and name in heard:
                    changing.setdefault(name, {}).setdefault((path, kind))
                elif not chosen:
                    moving.setdefault(name, {}).setdefault((path, kind))
        seen.add(kind)
    return {**moving, **changing}


def _differing(one: Heard, other: Heard) -> Iterator[str]:
    for name in {**one, **other}:
        if one.get(name) != other.get(name):
            yield name


def _written(origins: Iterable[tuple[str, str]]) -> list[str]:
    """Write fields as a site would: ``Event.label``, ``Hit.context.page.title``."""
    kinds: dict[str, list[str]] = {}
    for path, kind in origins:
        kinds.setdefault(path, [])
        if kind not in kinds[path]:
            kinds[path].append(kind)
    written: list[str] = []
    for path, of_path in kinds.items():
        common = path.partition(".")[0].partition("[")[0] in _COMMON
        if path.startswith("Item."):
            written.append(path)
        elif common and len(of_path) > _MANY:
            written.append(f"Hit.{path}")
        else:
            written += [f"{kind}.{path}" for kind in of_path]
    return written


def _options(system: System, table: Iterable[str]) -> Iterator[tuple[str, System]]:
    """Change each option of *system*, one at a time, as far as it takes that."""
    replace: Callable[..., System] = msgspec.structs.replace
    kind: Any = type(system)
    for field in (
        msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else ()
    ):
        now = getattr(system, field.name)
        names = [name.partition(".")[2] for name in table if _is_in(name, field.name)]
        if "://" in str(now):
            continue  # where the hits go is not said in them
        values = [*other_values(now, field.type), *_options_by_name(field.type, names)]
        for value in values:
            try:
                yield field.name, replace(system, **{field.name: value})
            except (ConfigurationError, TypeError):
                continue  # this option takes other values


def _is_in(name: str, option: str) -> bool:
    return name.startswith(f"{option}.") and "<" not in name


def _options_by_name(hint: Any, names: Sequence[str]) -> Iterator[Any]:
    """Yield values for an option that names things: of the site's, or the protocol's."""
    union = get_origin(hint) in (Union, UnionType)
    for kind in get_args(hint) if union else (hint,):
        origin = get_origin(kind) or kind
        if origin is Mapping:
            number = int in get_args(kind)
            yield dict.fromkeys(names or [MARK], 7 if number else "some text")
        elif origin is Sequence:
            yield (MARK,)
        elif origin is Callable and names:
            yield lambda _context: dict.fromkeys(names, "some text")


def _reached(system: System, names: Iterable[str], ear: Ear) -> set[str]:
    """Find the parameters that raw parameters of a page view reach."""
    hit = next(hit for hit in full_hits() if isinstance(hit, PageView))
    plain = ear.hear(system, [hit])
    found = set()
    for name in names:
        for value in _RAW:
            extra = {system.name: _nested(name, value)}
            heard = ear.hear(system, [msgspec.structs.replace(hit, extra=extra)])
            if name in heard and heard.get(name) != plain.get(name):
                found.add(name)
                break
    return found


def _nested(name: str, value: Any) -> dict[str, Any]:
    """Make of ``items[<n>].price`` what JSON makes of it."""
    first, _, rest = name.replace("<name>", MARK).partition(".")
    inner = _nested(rest, value) if rest else value
    if first.endswith("[<n>]"):
        first, inner = first.removesuffix("[<n>]"), [inner]
    return {first.replace("<n>", "1"): inner}
