"""Classes of parameters, and the wire form of their instances.

An inner class ``Meta`` says how names are made, and is inherited piece by piece:
*custom_prefix* stands before the index of a `VariableParameter`; *preset_prefix*
and *index_prefix* before the names of a `PrefixUrlGenerator`; these and
*item_prefix*, then the index given to ``url``, before those of an
`EnumeratedUrlGenerator`. *indexes* is the range that all indexes must lie in,
*custom_parameter* describes the variable parameters. A class that is *abstract* is
made to be completed by others; this alone is not inherited.
"""

# ruff: noqa: D106  (what a Meta may say is described once, above)

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import msgspec

from server_tracking.errors import ConfigurationError, InvalidParametersError
from server_tracking.parameters.fields import (
    MissingParametersError,
    UrlParameter,
    VariableParameter,
)

__all__ = [
    "EnumeratedUrlGenerator",
    "GeneratorMeta",
    "PrefixUrlGenerator",
    "UrlGenerator",
]


class GeneratorMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What the ``Meta`` of a class and of those that it inherits from say together."""

    preset_prefix: str = ""
    index_prefix: int | str = ""
    custom_prefix: str = ""
    item_prefix: str = ""
    indexes: range | None = None
    custom_parameter: UrlParameter = UrlParameter("")
    abstract: bool = False


class UrlGenerator:
    """Hold the values of some parameters, and make their wire form.

    Takes another instance, or a mapping of field names, and field names as keyword
    arguments; raises `InvalidParametersError` for names that it does not have.
    """

    meta: ClassVar[GeneratorMeta] = GeneratorMeta(abstract=True)
    parameters: ClassVar[Mapping[str, UrlParameter]] = MappingProxyType({})
    """The parameters by their field names, in the order of their declaration."""

    _said: ClassVar[Mapping[str, Any]] = {}
    _own: ClassVar[Mapping[str, UrlParameter | VariableParameter | None]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._said = _said_of(cls)
        cls.meta = _meta_of(cls)
        cls._own = _own_of(cls)
        bound = {name: _bound(cls, name, p) for name, p in _declared(cls)}
        for name, parameter in bound.items():
            setattr(cls, name, parameter)
        cls.parameters = MappingProxyType(bound)

    def __init__(
        self, params: UrlGenerator | Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        if self.meta.abstract:
            raise ConfigurationError(f"{type(self).__name__} is abstract: subclass it.")
        self._values: dict[str, Any] = {}
        self.update(params)
        self.update_from_kwargs(kwargs)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        items = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"<{type(self).__name__}: {items}>"

    def copy(self) -> Self:
        """Return an instance of its own with the same values."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__, _values=dict(self._values))
        return copied

    def update(
        self, other: UrlGenerator | Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Take the values of *other*, then those given by name.

        What *other* has without a value, or as None, loses its value here; None
        given by name is passed over.
        """
        if isinstance(other, UrlGenerator):
            if other:
                for name in self.parameters.keys() & other.parameters.keys():
                    setattr(self, name, getattr(other, name))
        elif isinstance(other, Mapping):
            self._refuse_unknown(other)
            for name, value in other.items():
                setattr(self, name, value)
        elif other is not None:
            raise InvalidParametersError(
                f"{type(self).__name__} takes a mapping or another generator, "
                f"not {type(other).__name__}."
            )
        self.update_from_kwargs(kwargs)

    def update_from_kwargs(self, kwargs: Mapping[str, Any]) -> None:
        """Take the values of *kwargs* that are not None."""
        self._refuse_unknown(kwargs)
        for name, value in kwargs.items():
            if value is not None:
                setattr(self, name, value)

    def is_empty(self) -> bool:
        """Tell whether no parameter has a value."""
        return not self._values

    def problems(self) -> Iterator[str]:
        """Name all that is wrong with the values, each beginning with its field."""
        for name, parameter in self.parameters.items():
            if name in self._values:
                if wrong := parameter.problem(self._values[name]):
                    yield f"{name} {wrong}"
            elif parameter.required:
                yield f"{name} is required"

    def validate(self) -> None:
        """Raise `InvalidParametersError` that names every problem at once."""
        missing = [
            name
            for name, parameter in self.parameters.items()
            if parameter.required and name not in self._values
        ]
        _refuse(self, self.problems(), missing)

    def wire(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the values by their names on the wire, unchecked."""
        prefix = self.prefix(*args, **kwargs)
        values = self._values
        return {
            prefix + parameter.wire_name: values[name]
            for name, parameter in self.parameters.items()
            if name in values
        }

    def url(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the values by their names on the wire.

        Raises `InvalidParametersError` for values that do not fit.
        """
        self.validate()
        return self.wire(*args, **kwargs)

    def prefix(self, *_args: Any, **_kwargs: Any) -> str:
        """Return what stands before the name of each parameter."""
        return ""

    def _refuse_unknown(self, given: Mapping[str, Any]) -> None:
        if given.keys() <= self.parameters.keys():
            return
        unknown = [name for name in given if name not in self.parameters]
        _refuse(
            self,
            (f"{name} is unknown{_nearest(name, self.parameters)}" for name in unknown),
        )


def _said_of(cls: type[UrlGenerator]) -> dict[str, Any]:
    """Find what the ``Meta`` of *cls* itself says."""
    own = vars(cls).get("Meta")
    known = GeneratorMeta.__struct_fields__
    unknown = [n for n in vars(own or object) if not (n.startswith("_") or n in known)]
    if unknown:
        raise ConfigurationError(
            f"{cls.__name__}.Meta has no {', '.join(unknown)}; "
            f"known are {', '.join(known)}."
        )
    said = {name: getattr(own, name) for name in known if hasattr(own, name)}
    if own is None or "abstract" not in vars(own):
        said.pop("abstract", None)
    return said


def _meta_of(cls: type[UrlGenerator]) -> GeneratorMeta:
    said: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        said |= vars(base).get("_said", {})
    meta = GeneratorMeta(**{**said, "abstract": cls._said.get("abstract", False)})
    if meta.index_prefix != "" and (wrong := _index_problem(meta, meta.index_prefix)):
        raise ConfigurationError(f"{cls.__name__}.Meta.index_prefix: {wrong}.")
    return meta


def _own_of(
    cls: type[UrlGenerator],
) -> dict[str, UrlParameter | VariableParameter | None]:
    """Find what *cls* itself declares; None for fields that it takes away."""
    inherited = {name for name, _ in _declared(cls)}
    return {
        name: value if isinstance(value, UrlParameter | VariableParameter) else None
        for name, value in vars(cls).items()
        if isinstance(value, UrlParameter | VariableParameter) or name in inherited
    }


def _declared(
    cls: type[UrlGenerator],
) -> Iterator[tuple[str, UrlParameter | VariableParameter]]:
    found: dict[str, UrlParameter | VariableParameter | None] = {}
    for base in reversed(cls.__mro__):
        found |= vars(base).get("_own", {})
    for name, parameter in found.items():
        if parameter is not None:
            yield name, parameter


def _bound(
    cls: type[UrlGenerator], name: str, declared: UrlParameter | VariableParameter
) -> UrlParameter:
    if isinstance(declared, UrlParameter):
        return msgspec.structs.replace(declared, field=name)
    meta = cls.meta
    if wrong := _index_problem(meta, declared.index):
        raise ConfigurationError(f"{cls.__name__}.{name}: {wrong}.")
    template = meta.custom_parameter
    bound: UrlParameter = msgspec.structs.replace(
        template,
        wire_name=f"{meta.custom_prefix}{declared.index}",
        required=declared.required,
        type=declared.type or template.type,
        max_bytes=declared.max_bytes or template.max_bytes,
        field=name,
    )
    return bound


def _index_problem(meta: GeneratorMeta, index: int | str) -> str | None:
    if meta.indexes is None:
        return None
    text = str(index)
    if text.isascii() and text.isdigit() and int(text) in meta.indexes:
        return None
    first, last = meta.indexes[0], meta.indexes[-1]
    return f"index {text} is not from {first} to {last}"


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f", perhaps {near[0]} is meant" if near else ""


def _refuse(
    generator: UrlGenerator, problems: Iterable[str], missing: Iterable[str] = ()
) -> None:
    found = tuple(problems)
    if not found:
        return
    message = f"{type(generator).__name__}: {'; '.join(found)}."
    if names := ", ".join(missing):
        raise MissingParametersError(message, names, problems=found)
    raise InvalidParametersError(message, problems=found)


class PrefixUrlGenerator(UrlGenerator):
    """Make names with the same prefix, such as ``il1nm``."""

    class Meta:
        abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("preset_prefix", "index_prefix"):
            if not getattr(self.meta, name):
                raise ConfigurationError(f"{type(self).__name__} needs Meta.{name}.")

    def prefix(self, *_args: Any, **_kwargs: Any) -> str:
        """Return ``Meta.preset_prefix`` and ``Meta.index_prefix``."""
        return f"{self.meta.preset_prefix}{self.meta.index_prefix}"


class EnumeratedUrlGenerator(UrlGenerator):
    """Make names with an index that each call gives, such as ``pr7nm``."""

    class Meta:
        abstract = True

    def url(self, index: int, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the values by their names on the wire for the item at *index*."""
        self.validate()
        if wrong := _index_problem(self.meta, index):
            _refuse(self, [wrong])
        return self.wire(index, *args, **kwargs)

    def prefix(self, index: int, *_args: Any, **_kwargs: Any) -> str:
        """Return ``Meta.preset_prefix``, ``index_prefix``, ``item_prefix``, *index*."""
        meta = self.meta
        return f"{meta.preset_prefix}{meta.index_prefix}{meta.item_prefix}{index}"
