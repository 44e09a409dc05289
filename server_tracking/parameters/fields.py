"""What one parameter is: its name on the wire, and which values it takes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Literal, Self, overload

import msgspec

from server_tracking.errors import InvalidParametersError
from server_tracking.parameters.writing import wire_text

__all__ = [
    "UP",
    "VP",
    "MissingParametersError",
    "ParameterType",
    "UrlParameter",
    "VariableParameter",
]

ParameterType = Literal["text", "integer", "number", "currency", "boolean"]

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
# Receivers skip a currency sign (Measurement Protocol v1 reference, "currency").
_MONEY = re.compile(r"[^0-9.\-]*-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


class MissingParametersError(InvalidParametersError):
    """Required parameters are missing; `args[1]` names their fields."""

    def __init__(
        self, message: str, missing: str = "", *, problems: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, problems=problems)
        self.args = (message, missing)

    def __str__(self) -> str:
        return str(self.args[0])


class UrlParameter(msgspec.Struct, frozen=True):
    """One parameter: its name on the wire, and which values it takes.

    *max_bytes* counts UTF-8 bytes before percent-encoding. *values* are all that is
    accepted, if any are given; *minimum* is the least number. *field* is the name
    in the class, which sets it. On an instance the parameter reads as its value,
    None if it has none; setting None removes the value.
    """

    wire_name: str
    required: bool = False
    type: ParameterType = "text"
    max_bytes: int | None = None
    values: tuple[str, ...] = ()
    minimum: int | None = None
    meaning: str = ""
    field: str = ""

    @property
    def url_component(self) -> str:
        """Return the name on the wire, as version 1.0 called it."""
        return self.wire_name

    def problem(self, value: object) -> str | None:
        """Say what is wrong with *value*, or None."""
        text = wire_text(value)
        if self.max_bytes is not None and len(text.encode()) > self.max_bytes:
            return f"is longer than {self.max_bytes} bytes"
        if self.values and text not in self.values:
            return f"is none of {', '.join(self.values)}"
        if self.type == "boolean" and text not in ("0", "1"):
            return "is neither 1 nor 0"
        if self.type == "integer" and not _WHOLE.fullmatch(text):
            return "is not a whole number"
        if self.type == "number" and not _NUMBER.fullmatch(text):
            return "is not a number"
        if self.type == "currency" and not _MONEY.fullmatch(text):
            return "is not an amount in plain digits"
        if self.minimum is not None and _less(text, self.minimum):
            return f"is less than {self.minimum}"
        return None

    @overload
    def __get__(self, instance: None, owner: object) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: object) -> Any: ...

    def __get__(self, instance: Any, owner: object) -> Any:
        if instance is None or not self.field:
            return self
        return instance.__dict__["_values"].get(self.field)

    def __set__(self, instance: Any, value: Any) -> None:
        values = instance.__dict__["_values"]
        if value is not None:
            values[self.field] = value
        else:
            values.pop(self.field, None)

    def __delete__(self, instance: Any) -> None:
        instance.__dict__["_values"].pop(self.field, None)


class VariableParameter(msgspec.Struct, frozen=True):
    """One parameter of many that differ by their *index*, as ``cd1`` to ``cd200``.

    The class turns it into a `UrlParameter` named ``Meta.custom_prefix`` + *index*.
    *type* and *max_bytes* stand in for those of ``Meta.custom_parameter``.
    """

    index: int
    required: bool = False
    type: ParameterType | None = None
    max_bytes: int | None = None

    @overload
    def __get__(self, instance: None, owner: object) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: object) -> Any: ...

    def __get__(self, instance: Any, owner: object) -> Any:
        return self

    def __set__(self, instance: Any, value: Any) -> None:
        raise AttributeError("A variable parameter needs a UrlGenerator class.")


UP = UrlParameter
VP = VariableParameter


def _less(text: str, minimum: int) -> bool:
    return bool(_NUMBER.fullmatch(text)) and Decimal(text) < minimum
