"""Read the text of an environment variable as the type of an option asks for."""

from __future__ import annotations

import json
import typing
from typing import Any

__all__ = ["value_from"]

_WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def value_from(text: str, hint: Any) -> Any:
    """Read *text* as *hint* says; what does not fit stays as it is, to be refused."""
    kinds = set(typing.get_args(hint)) | {hint}
    if bool in kinds and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if type(None) in kinds and text.lower() in ("", "none"):
        return None
    if any(typing.get_origin(kind) is tuple for kind in kinds) and text != "all":
        parts = [part for part in (p.strip() for p in text.split(",")) if part]
        if typing.get_args(hint)[:1] == (int,):
            return tuple(int(part) if part.isdecimal() else part for part in parts)
        return tuple(parts)
    if kinds & {int, float}:
        try:
            return json.loads(text)
        except ValueError:
            return text  # refused with its name, as any wrong value
    return text
