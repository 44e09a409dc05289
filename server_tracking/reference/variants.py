"""Hits that differ from a sample in one field: what then differs on the wire, it said."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from server_tracking.hits import Consent, Hit, Item, ProductAction, Purchase, Social
from server_tracking.testing.samples import sample_hits

__all__ = ["MARK", "Variant", "bare_hits", "full_hits", "other_values", "variants"]

MARK = "zz_plan"
"""A name that only the site knows: that of the one property in `params`."""

CATEGORIES = "Plants/Indoor/Ferns/Hardy/Small"
CLICK_IDS = ("gclid", "dclid", "fbclid", "msclkid")
_FILLED: Mapping[object, object] = {Decimal: Decimal("3.25"), int: 3, float: 1.5}
_WORD = re.compile(r"[0-9A-Za-z]+")
_SHORT = 60  # characters: what is longer, such as a user agent, has too many words
_KEPT = ("id", "time", *Consent.__struct_fields__)
_CONSENT = Consent(analytics=True, ad_user_data=True, ad_personalization=True)
# A hit's own raw parameters say nothing of where others come from.
_LEFT_OUT = frozenset({"extra"})


class Variant(NamedTuple):
    """A hit in which one field has another value.

    *path* is that field as a site writes it: ``context.page.title``, ``Item.price``.
    *chosen* marks a field whose values are fixed words: they decide what else is said.
    """

    path: str
    hit: Hit
    chosen: bool = False


def full_hits() -> list[Hit]:
    """Make hits of each kind, and of each product action, with every field filled."""
    found: list[Hit] = []
    for hit in _samples():
        full = _filled(hit)
        if isinstance(full, ProductAction):
            actions = get_args(typing.get_type_hints(ProductAction)["action"])
            found += [msgspec.structs.replace(full, action=word) for word in actions]
        else:
            found.append(full)
    return found


def bare_hits() -> list[Hit]:
    """Make hits of each kind with nothing but what has to be there."""
    return [_emptied(hit) for hit in _samples()]


def variants(hit: Hit) -> Iterator[Variant]:
    """Change *hit* in each of its fields, one at a time."""
    for path, changed, chosen in _changes(hit, ""):
        yield Variant(path, changed, chosen)


def other_values(value: object, hint: object) -> Iterator[object]:
    """Yield values of the type *hint* other than *value*."""
    kinds = set(get_args(hint)) - {NoneType} or {hint}
    if get_origin(hint) is Literal:
        yield from (word for word in get_args(hint) if word != value)
    elif isinstance(value, bool) or (value is None and bool in kinds):
        yield not value
        if NoneType in get_args(hint):
            yield None
    elif isinstance(value, int | float | Decimal):
        yield value + 1
    elif isinstance(value, UUID):
        yield UUID(int=value.int + 1)
    elif isinstance(value, str) and value:
        yield from _other_texts(value)
    elif value is None and str in kinds:
        yield "some text"
    elif value is None:
        yield from (_FILLED[kind] for kind in kinds if kind in _FILLED)


def _fields(value: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    kind: Any = type(value)
    return _fields_of(kind)


@cache
def _fields_of(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)  # it reads the annotations anew each time


def _samples() -> Iterator[Hit]:
    items = next(hit.items for hit in sample_hits(Purchase))  # type: ignore[union-attr]
    [social] = sample_hits(Social)
    # Some systems know what it is to share, and say all else in other words.
    liked = msgspec.structs.replace(social, action="like")
    for hit in (*sample_hits(), liked):
        # Of the page with which a visit begins there is the most to say.
        session = msgspec.structs.replace(hit.context.session, is_new=True)
        context = msgspec.structs.replace(
            hit.context, session=session, consent=_CONSENT
        )
        changes: dict[str, Any] = {"params": {MARK: 7}, "context": context}
        if hasattr(hit, "items"):
            changes["items"] = (msgspec.structs.replace(items[0], category=CATEGORIES),)
        yield msgspec.structs.replace(hit, **changes)


def _filled(value: Any) -> Any:
    """Give each empty field of the struct *value* a value of its type."""
    changes = {}
    for field in _fields(value):
        now = getattr(value, field.name)
        if isinstance(now, msgspec.Struct):
            changes[field.name] = _filled(now)
        elif isinstance(now, tuple):
            changes[field.name] = tuple(map(_filled, now))
        elif now is None:
            given = list(other_values(None, field.type))
            is_text = given == ["some text"]
            changes[field.name] = f"some-{field.name}" if is_text else given[0]
    return msgspec.structs.replace(value, **changes)


def _emptied(value: Any) -> Any:
    """Take each field of the struct *value* away that may be absent."""
    changes: dict[str, Any] = {}
    for field in _fields(value):
        now = getattr(value, field.name)
        if isinstance(now, msgspec.Struct):
            changes[field.name] = _emptied(now)
        elif isinstance(now, tuple):
            changes[field.name] = tuple(map(_emptied, now))
        elif not field.required and field.name not in _KEPT:
            empty = field.default is msgspec.NODEFAULT
            changes[field.name] = {} if empty else field.default
    if isinstance(value, Item):
        changes["id"] = value.id  # an item needs it, or a name
    return msgspec.structs.replace(value, **changes)


def _changes(value: Any, place: str) -> Iterator[tuple[str, Any, bool]]:
    for field in _fields(value):
        now = getattr(value, field.name)
        path = f"{place}{field.name}"
        if field.name in _LEFT_OUT:
            continue
        if isinstance(now, msgspec.Struct):
            inner = _changes(now, f"{path}.")
        elif isinstance(now, tuple):
            # The first of the items stands for all.
            inner = ((p, (i, *now[1:]), c) for p, i, c in _item_changes(now[:1]))
        elif isinstance(now, Mapping):
            inner = ((p, m, False) for p, m in _entry_changes(now, path))
        else:
            chosen = get_origin(field.type) is Literal
            others = other_values(now, field.type)
            inner = ((path, other, chosen) for other in others)
        for origin, changed, chosen in inner:
            yield (
                origin,
                msgspec.structs.replace(value, **{field.name: changed}),
                chosen,
            )


def _item_changes(items: tuple[Any, ...]) -> Iterator[tuple[str, Any, bool]]:
    for item in items:
        yield from _changes(item, f"{type(item).__name__}.")


def _entry_changes(
    entries: Mapping[str, Any], path: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Change each entry, and add those that are known and not there."""
    # Full hits have no click id either: Google takes one for all there is to say of a
    # campaign, and then is told nothing else.
    for name in CLICK_IDS if path.endswith("click_ids") else (MARK,):
        if name not in entries:
            yield _entry_path(path, name), {**entries, name: "some text"}
    for name, value in entries.items():
        for other in other_values(value, type(value)):
            yield _entry_path(path, name), {**entries, name: other}


def _entry_path(path: str, name: str) -> str:
    return path if name == MARK else f'{path}["{name}"]'


def _other_texts(text: str) -> Iterator[str]:
    """Change a text in each of its words, or a URL in its parts; the form is kept."""
    if "://" in text:
        parts = urlsplit(text)
        yield parts._replace(netloc=f"m.{parts.netloc}").geturl()
        yield parts._replace(path=f"{parts.path}/more").geturl()
        yield parts._replace(query=f"{parts.query}s" if parts.query else "a=b").geturl()
        return
    words = [match.span() for match in _WORD.finditer(text)]
    ends = [end - 1 for _, end in words] if len(text) < _SHORT else []
    places = [words[0][0], *ends, words[-1][1] - 1] if words else []
    for place in dict.fromkeys(places):
        yield text[:place] + _next(text[place]) + text[place + 1 :]


def _next(character: str) -> str:
    """Return another character of the same kind, and of hexadecimal digits another."""
    return chr(ord(character) + (-1 if character in "9fFzZ" else 1))
