"""Which hits somebody wants to see: the filters of the page, the feed and exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from server_tracking.inspector.stored import StoredHit, state_of

__all__ = ["Query", "number_of", "query_from"]

_NEVER = 1 << 62


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What hits have to be; an empty field asks nothing.

    *after* and *before* bound the number, exclusively. *state* may also be
    ``problems``: noted or refused. *path* is a part of the path, *words* a part of
    anything that is shown of them; neither heeds upper and lower case.
    """

    after: int = 0
    before: int = _NEVER
    system: str = ""
    kind: str = ""
    state: Literal["", "valid", "noted", "refused", "problems"] = ""
    visitor: str = ""
    path: str = ""
    words: str = ""

    def within(self, newest: int, reach: int) -> Query:
        """Look through no more than *reach* hits, of which *newest* is the last."""
        last = min(self.before - 1, newest)
        return msgspec.structs.replace(self, after=max(self.after, last - reach))

    def matches(self, stored: StoredHit) -> bool:
        """Tell whether *stored* is wanted."""
        hit = stored.hit
        return (
            self.after < stored.number < self.before
            and self.system in ("", hit.system)
            and self.kind in ("", hit.kind)
            and self._has_state(state_of(stored))
            and self.visitor in ("", hit.client_id, hit.user_id)
            and self.path.lower() in hit.path.lower()
            and (not self.words or self.words.lower() in text_of(stored))
        )

    def _has_state(self, state: str) -> bool:
        return self.state in ("", state) or (
            self.state == "problems" and state != "valid"
        )


def text_of(stored: StoredHit) -> str:
    """Return the text that *words* are looked for in."""
    return msgspec.json.encode(stored).decode().lower()


def query_from(parameters: Mapping[str, str]) -> Query:
    """Read a query from those of a URL; what makes no sense asks nothing."""
    fields: dict[str, str | int] = {
        name: parameters.get(name, "").strip()
        for name in ("system", "kind", "state", "visitor", "path", "words")
    }
    if fields["state"] not in ("valid", "noted", "refused", "problems"):
        fields["state"] = ""
    fields["after"] = number_of(parameters.get("after"))
    fields["before"] = number_of(parameters.get("before")) or _NEVER
    return msgspec.convert(fields, Query)


def number_of(text: str | None) -> int:
    """Read the number of a hit; 0, before the first, for anything else."""
    return int(text) if text and text.isdecimal() and len(text) < 19 else 0
