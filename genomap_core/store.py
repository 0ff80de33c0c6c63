"""Values on their way to a file and back: dataclasses from plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import GenericAlias
from typing import Any, TypeVar

from genomap_core.errors import InputError

T = TypeVar("T")


def decode(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass from plain values, as ``asdict`` and JSON leave them: lists become tuples, nested ones dataclasses.

    Raises
    ------
    InputError
        A field is unknown, missing or of another type; or what the dataclass itself raised.
    """
    from pydantic import ValidationError

    try:
        (made,) = _adapter(kind).validate_python((dict(values),))  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        own = first.get("ctx", {}).get("error")
        if isinstance(own, Exception):
            raise own from None
        place = ".".join(map(str, first["loc"][1:]))
        raise InputError(f"{kind.__name__}: `{place}` can't be used ({first['msg'].lower()}).") from None
    return made


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    # within a tuple, because pydantic takes a configuration for a dataclass only from what surrounds it
    within: Any = GenericAlias(tuple, (kind,))
    return TypeAdapter(within, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
