"""Reads a JSON document of our own once, into a dataclass: an error names the field that is missing or wrong.

Messages name types and never quote values: a document may hold texts of attackers.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.figures import Rate

Json = dict[str, Any]

_NAMES = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


class Fields:
    """The fields of one JSON object, each read as the type it has to be.

    Every method raises InputError if the field is missing or of another type.
    """

    def __init__(self, value: object, where: str) -> None:
        """Takes a parsed JSON value.

        Args:
            value: Has to be an object.
            where: What it is called in errors.

        Raises:
            InputError: It is no object.
        """
        if not isinstance(value, Mapping):
            raise InputError(f"{where} is {_type_of(value)}, it has to be an object")
        self._value = value
        self._where = where

    def has(self, key: str) -> bool:
        """Whether the field is there: one that came later is missing in older documents."""
        return key in self._value

    def raw(self, key: str) -> object:
        """The field as JSON has it."""
        if key not in self._value:
            raise InputError(f"{self._where} has no field {key!r}")
        return self._value[key]

    def text(self, key: str) -> str:
        """A string."""
        value = self.raw(key)
        return value if isinstance(value, str) else self._refuse(key, value, "a text")

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self.raw(key)
        return value if isinstance(value, bool) else self._refuse(key, value, "true or false")

    def whole(self, key: str) -> int:
        """A whole number; KFP's backend gives every number back as a float."""
        value = self.number(key)
        return int(value) if value.is_integer() else self._refuse(key, self.raw(key), "a whole number")

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.raw(key)
        found = _finite(value)
        return self._refuse(key, value, "a finite number") if found is None else found

    def number_or_none(self, key: str) -> float | None:
        """A number; None for null and for a number that is not finite: it was not measured."""
        value = self.raw(key)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return _finite(value)
        return self._refuse(key, value, "a number or null")

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of finite numbers."""
        found = [_finite(value) for value in self._list(key)]
        if None in found:
            self._refuse(f"{key}[{found.index(None)}]", self._list(key)[found.index(None)], "a finite number")
        return tuple(value for value in found if value is not None)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(
            value if isinstance(value, str) else self._refuse(f"{key}[{at}]", value, "a text")
            for at, value in enumerate(self._list(key))
        )

    def rate(self, key: str) -> Rate:
        """A rate with its interval; a rate over no trials counts as not measured."""
        fields = self.fields(key)
        n = fields.whole("n")
        if n < 0:
            raise InputError(f"{self._where}.{key}.n is {n}, it has to be 0 or more")
        rate, low, high = (fields.number_or_none(name) for name in ("rate", "low", "high"))
        return Rate(rate, n, low, high) if n and rate is not None else Rate(None, n)

    def fields(self, key: str) -> Fields:
        """A nested object."""
        return Fields(self.raw(key), f"{self._where}.{key}")

    def fields_by_name(self) -> dict[str, Fields]:
        """The objects of an object that has no other fields, its order kept."""
        return {str(name): self.fields(name) for name in self._value}

    def list_of_fields(self, key: str) -> list[Fields]:
        """A list of objects."""
        return [Fields(value, f"{self._where}.{key}[{at}]") for at, value in enumerate(self._list(key))]

    def number_by_name(self, key: str) -> dict[str, float]:
        """An object whose values are finite numbers, its order kept."""
        fields = self.fields(key)
        return {str(name): fields.number(name) for name in fields._value}

    def number_or_none_by_name(self, key: str) -> dict[str, float | None]:
        """An object whose values are numbers or null, its order kept."""
        fields = self.fields(key)
        return {str(name): fields.number_or_none(name) for name in fields._value}

    def text_by_name(self, key: str) -> dict[str, str]:
        """An object whose values are strings, its order kept."""
        fields = self.fields(key)
        return {str(name): fields.text(name) for name in fields._value}

    def _list(self, key: str) -> list[object]:
        value = self.raw(key)
        return list(value) if isinstance(value, list | tuple) else self._refuse(key, value, "a list")

    def _refuse(self, key: str, value: object, wanted: str) -> NoReturn:
        raise InputError(f"{self._where}.{key} is {_type_of(value)}, it has to be {wanted}")


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An int of Python may be too large for a float.
    return float(value) if abs(value) <= sys.float_info.max else None


def _type_of(value: object) -> str:
    return _NAMES.get(type(value), "a number" if isinstance(value, int | float) else f"a {type(value).__name__}")
