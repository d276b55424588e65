"""Strict values of requests: a wrong type is an error, never a guess."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from django.utils.functional import cached_property
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from paymentops.core import currencies
from paymentops.core.money import LARGEST_MINOR


def _first(error: serializers.ValidationError) -> str:
    details: Any = error.detail
    return str(details[0])


class Strict(serializers.Serializer[Any]):
    """A body in which an unknown name is an error, because it is most often a misspelt one."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values."""
        if isinstance(data, Mapping):
            unknown = sorted(str(name)[:80] for name in data.keys() - self._names)
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field."] for name in unknown[:20]})
        return super().to_internal_value(data)

    @cached_property
    def _names(self) -> frozenset[str]:
        """Name the fields once: walking the framework's mapping of them costs a tenth of a validation."""
        return frozenset(self.fields)


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 1, "maximum": LARGEST_MINOR})
class MinorUnits(serializers.Field[int, Any, int, Any]):
    """A positive whole number of minor units, 1 to 2^53 - 1. ``1.0`` is the same number as ``1``; ``"1"`` is none."""

    default_error_messages = {
        "not_whole": "Send a whole number of minor units (cents for EUR, whole yen for JPY), without quotes.",
        "out_of_range": f"Send a number from 1 to {LARGEST_MINOR}.",
    }

    def to_internal_value(self, data: Any) -> int:
        """Return the number of minor units."""
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("not_whole")
        if not 1 <= data <= LARGEST_MINOR:
            self.fail("out_of_range")
        return int(data)

    def to_representation(self, value: int) -> int:
        """Return the number unchanged."""
        return value


class Text(serializers.Field[str, Any, str, Any]):
    """Printable text of a bounded length, normalised to NFC so that equal looking retries are equal."""

    default_error_messages = {
        "not_text": "Send text in quotes.",
        "blank": "Send at least one character.",
        "too_long": "Send at most {most} characters.",
        "unprintable": "Control characters and unpaired surrogates are not allowed.",
    }

    def __init__(self, *, most: int, blank: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most
        self.blank = blank

    def to_internal_value(self, data: Any) -> str:
        """Return the normalised text."""
        if not isinstance(data, str):
            self.fail("not_text")
        if len(data) > self.most:
            self.fail("too_long", most=self.most)
        text = data if data.isascii() else unicodedata.normalize("NFC", data)
        if len(text) > self.most:
            self.fail("too_long", most=self.most)
        if not text.isprintable():
            self.fail("unprintable")
        if not self.blank and not text.strip():
            self.fail("blank")
        return text

    def to_representation(self, value: str) -> str:
        """Return the text unchanged."""
        return value


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]})
class Currency(Text):
    """An active ISO 4217 code in capital letters."""

    default_error_messages = {"unknown": "This is not an active ISO 4217 currency code in capital letters."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(most=3, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the code."""
        if not isinstance(data, str) or not currencies.is_known(data):
            self.fail("unknown")
        return str(data)


@extend_schema_field(
    {"type": "object", "additionalProperties": {"type": "string", "maxLength": 500}, "maxProperties": 50}
)
class Metadata(serializers.Field[dict[str, str], Any, dict[str, str], Any]):
    """Up to 50 names of 40 characters with text values of 500 characters, kept and returned as they are."""

    MOST_ENTRIES = 50
    default_error_messages = {
        "not_object": "Send an object of names and text values.",
        "too_many": f"Send at most {MOST_ENTRIES} entries.",
        "bad_entry": "{name!r}: {problem}",
    }
    _name = Text(most=40)
    _value = Text(most=500, blank=True)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the normalised entries."""
        if not isinstance(data, dict):
            self.fail("not_object")
        if len(data) > self.MOST_ENTRIES:
            self.fail("too_many")
        return dict(self._entry(name, value) for name, value in data.items())

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        """Return the entries unchanged."""
        return value

    def _entry(self, name: str, value: Any) -> tuple[str, str]:
        try:
            return self._name.to_internal_value(name), self._value.to_internal_value(value)
        except serializers.ValidationError as error:
            self.fail("bad_entry", name=name[:40], problem=_first(error))


class TextSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """How OpenAPI describes a bounded text."""

    target_class = "paymentops.core.fields.Text"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:  # noqa: ARG002 - the library's signature
        """Return the JSON schema with the text's bounds, loosely where a default is empty."""
        least = 0 if self.target.blank or not self.target.required else 1
        return {"type": "string", "minLength": least, "maxLength": self.target.most}
