"""What a question to the books may say.

A name that is unknown or stands twice is refused: ignoring it would answer another question.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from ledger.api.moments import FromMoment, UntilMoment
from ledger.chart import Kind
from ledger.models import State
from paymentops.casework.models import ProposalState
from paymentops.core import ids
from paymentops.core.api import invalid_input
from paymentops.core.fields import Currency, Strict, Text

MOST_ROWS: Final = 200
USUAL_ROWS: Final = 50
OLDEST_FIRST, NEWEST_FIRST = "oldest_first", "newest_first"

_EFFECTIVE: Final = "Count only what was effective by this moment; a date alone is the end of that day in UTC."
_KNOWN: Final = "Count only what had been recorded by this moment; a date alone is the end of that day in UTC."
_ROWS: Final = f"Rows a page, 1 to {MOST_ROWS}; {USUAL_ROWS} unless told."
_CURSOR: Final = "From `next` or `previous` of another page."


@extend_schema_field({"type": "string", "maxLength": 80, "examples": ["pay_019aa5b1c2d37e4f8a9b0c1d2e3f4a5b"]})
class ThingId(serializers.Field[UUID, Any, str, Any]):
    """The id of what an entry is about: as services see it, ``pay_…``, or a UUID."""

    default_error_messages = {"unreadable": "Send an id such as pay_… or a UUID."}

    def to_internal_value(self, data: Any) -> UUID:
        """Return the id without its prefix."""
        text = data if isinstance(data, str) else ""
        prefix, separator, digits = text.rpartition("_")
        if (separator and prefix not in set(ids.Prefix)) or not text.isascii() or len(text) > 80:
            self.fail("unreadable")
        try:
            return UUID(digits)
        except ValueError:
            self.fail("unreadable")

    def to_representation(self, value: UUID) -> str:
        """Return the id as text."""
        return str(value)


class Question(Strict):
    """The part of an address behind the question mark."""

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        """Return what a request asks, by name; what it does not say is missing.

        Raises:
            InvalidInput: a name is unknown or stands twice, or a value cannot be read.
        """
        asked: QueryDict = request.query_params
        if twice := sorted(name[:80] for name in asked if len(asked.getlist(name)) > 1):
            raise invalid_input(serializers.ValidationError({name: ["Send it once."] for name in twice[:20]}))
        question = cls(data=asked.dict())
        question.is_valid(raise_exception=True)
        found: Mapping[str, Any] = question.validated_data
        return dict(found)


class Page(Question):
    """Which page of a list."""

    cursor = Text(most=1000, required=False, help_text=_CURSOR)
    limit = serializers.IntegerField(min_value=1, max_value=MOST_ROWS, required=False, help_text=_ROWS)


class AccountsQuestion(Page):
    """Which accounts."""

    prefix = Text(most=120, required=False, help_text="How the code begins: `11`, `1110`, `1110:sandbox`.")
    currency = Currency(required=False)
    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind], required=False)
    closed = serializers.BooleanField(required=False, help_text="Only closed accounts, or only open ones.")


class NoQuestion(Question):
    """Nothing to say."""


class BalanceQuestion(Question):
    """At which date, and known when."""

    effective_at = UntilMoment(required=False, help_text=_EFFECTIVE)
    known_at = UntilMoment(required=False, help_text=_KNOWN)


class StatementQuestion(Question):
    """Which lines of a statement, in which order."""

    since = FromMoment(
        required=False, help_text="First moment of the period; a date alone is the beginning of that day in UTC."
    )
    until = UntilMoment(
        required=False, help_text="Last moment of the period; a date alone is the end of that day in UTC."
    )
    order = serializers.ChoiceField(choices=[OLDEST_FIRST, NEWEST_FIRST], default=OLDEST_FIRST)
    cursor = Text(most=80, required=False, help_text="From `next` of another page.")
    limit = serializers.IntegerField(min_value=1, max_value=MOST_ROWS, default=USUAL_ROWS, help_text=_ROWS)


class EntriesQuestion(Page):
    """Which entries."""

    source_type = Text(most=32, required=False, help_text="What they are about: `payment`, `refund`, `journal` …")
    source_id = ThingId(required=False, help_text="The thing itself, as services see it or as a UUID.")
    state = serializers.ChoiceField(choices=State.choices, required=False)
    account = Text(most=120, required=False, help_text="The code of an account that they touch, `1110:sandbox`.")
    currency = Currency(required=False)
    effective_from = FromMoment(
        required=False, help_text="A move of theirs took effect at this moment or later; a date alone is its beginning."
    )
    effective_until = UntilMoment(
        required=False, help_text="And that move not after this moment; a date alone is the end of that day in UTC."
    )


class TrialBalanceQuestion(BalanceQuestion):
    """At which date, known when, in which currency, and what to compare with."""

    currency = Currency(required=False)
    compare_to = UntilMoment(
        required=False, help_text="Also the trial balance effective by this moment, and what moved between the two."
    )


class JournalsQuestion(Page):
    """Which journals."""

    state = serializers.ChoiceField(choices=ProposalState.choices, required=False)
