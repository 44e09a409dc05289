"""The table of all parameters of Matomo's Tracking HTTP API.

What stands beside the hits of a bulk request is marked: ``token_auth (top level)``.
"""

from __future__ import annotations

from server_tracking.patterns import pattern_from
from server_tracking.systems import ParameterRow
from server_tracking.systems.matomo.parameters import (
    PARAMETERS,
    DimensionUrlGenerator,
    ObsoleteParameters,
)

__all__ = ["DIMENSION", "ROWS", "meaning_of", "top_level"]

DIMENSION = pattern_from(r"dimension([1-9][0-9]{0,2})")

_TOP_LEVEL = " (top level)"
_BULK = {
    "requests": "Hits of a bulk request, as objects or as addresses.",
    f"token_auth{_TOP_LEVEL}": "Token for all hits of a bulk request.",
    f"send_image{_TOP_LEVEL}": "Whether a bulk request wants an answer; 0 for none.",
}
_MEANINGS: dict[str, str] = {
    **{name: parameter.meaning for name, parameter in PARAMETERS.items()},
    "dimension<n>": DimensionUrlGenerator.meta.custom_parameter.meaning,
    **_BULK,
}
_NOTES = {
    f"send_image{_TOP_LEVEL}": "It would hide the counts that tell what was refused.",
    "tracker_install_check": "Only Matomo's own page and script know its value.",
    **{
        parameter.wire_name: "Not read since Matomo 4."
        for parameter in ObsoleteParameters.parameters.values()
    },
}

ROWS = tuple(
    ParameterRow(name, meaning, _NOTES.get(name, ""))
    for name, meaning in _MEANINGS.items()
)


def meaning_of(name: str) -> str:
    """Say what the parameter *name* means; nothing if Matomo does not know it."""
    if DIMENSION.fullmatch(name):
        name = "dimension<n>"
    return _MEANINGS.get(name, "")


def top_level(name: str) -> str:
    """Name what stands beside the hits of a bulk request, in the table."""
    return name if name in _BULK else f"{name}{_TOP_LEVEL}"
