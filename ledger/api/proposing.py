"""What a service says when it proposes a journal: validation, and the journal that it means."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ledger import journals
from ledger.api.moments import Moment
from ledger.journals import TEMPLATES, Journal
from ledger.postings import PostingLine
from paymentops.casework.operations.proposing import LONGEST_REASON
from paymentops.core import ids
from paymentops.core.fields import Currency, Metadata, MinorUnits, Strict, Text
from paymentops.core.money import LARGEST_MINOR, Money

# A service has no files to attach, so what needs one to prove it is proposed by a person.
PROPOSABLE: Final = [name for name, template in TEMPLATES.items() if not template.needs_attachment]


@extend_schema_field({"type": "integer", "format": "int64", "minimum": -LARGEST_MINOR, "maximum": LARGEST_MINOR})
class SignedMinorUnits(MinorUnits):
    """A whole number of minor units other than 0, debit positive, up to 2^53 - 1 on either side."""

    default_error_messages = {"out_of_range": f"Send a number other than 0, from -{LARGEST_MINOR} to {LARGEST_MINOR}."}

    def to_internal_value(self, data: Any) -> int:
        """Return the number of minor units."""
        if isinstance(data, int | float) and not isinstance(data, bool) and data < 0:
            return -super().to_internal_value(-data)
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": "^ent_[0-9a-f]{32}$"})
class EntryId(serializers.Field[UUID, Any, str, Any]):
    """The id of an entry, ``ent_…``."""

    default_error_messages = {"unreadable": "Send the id of an entry, ent_…"}

    def to_internal_value(self, data: Any) -> UUID:
        """Return the id without its prefix."""
        try:
            return ids.parse(ids.Prefix.ENTRY, data if isinstance(data, str) else "")
        except ids.UnreadableId:
            self.fail("unreadable")

    def to_representation(self, value: UUID) -> str:
        """Return the id as services see it."""
        return ids.public(ids.Prefix.ENTRY, value)


class JournalLineBody(Strict):
    """One line."""

    account = Text(most=120, help_text="The account's code, `1110:sandbox`.")
    currency = Currency()
    amount = SignedMinorUnits(help_text="Minor units, debit positive.")
    method = Text(most=32, blank=True, default="", help_text="On 1110 only: how the payer paid.")


class ProposeJournalBody(Strict):
    """A journal: the amount and the parts of its template's accounts, or its lines."""

    template = serializers.ChoiceField(choices=PROPOSABLE)
    description = Text(most=journals.LONGEST_DESCRIPTION, help_text="What it is, as the books will say it.")
    reason = Text(most=LONGEST_REASON, help_text="Why it is needed, for the person who approves.")
    occurred_at = Moment(help_text="When it really happened; not in the future.")
    corrects = EntryId(required=False, allow_null=True, default=None, help_text="With `correction`: the entry.")
    amount = MinorUnits(required=False, help_text="With `currency`, instead of `lines`.")
    currency = Currency(required=False)
    parts = Metadata(
        required=False, help_text="What names the template's accounts: `provider account`, `bank account`."
    )
    lines = serializers.ListField(child=JournalLineBody(), required=False, min_length=2, max_length=journals.MOST_LINES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what says the accounts twice or not at all."""
        named = {name for name in ("amount", "currency", "parts") if name in attrs}
        if "lines" in attrs and named:
            raise serializers.ValidationError({"lines": ["Send the lines, or amount, currency and parts."]})
        if "lines" not in attrs and not named >= {"amount", "currency"}:
            raise serializers.ValidationError({"lines": ["Send the lines, or amount and currency with the parts."]})
        known = TEMPLATES[attrs["template"]].parts
        if unknown := sorted(attrs.get("parts", {}).keys() - set(known)):
            told = f"this template has {', '.join(known)}" if known else "send the lines"
            raise serializers.ValidationError({"parts": [f"{unknown[0]!r} names no account; {told}."]})
        return attrs

    @staticmethod
    def journal(values: Mapping[str, Any]) -> Journal:
        """Build the journal from validated values.

        Raises:
            UnknownAccount, JournalNotUsable: see ``journals.fill`` and ``journals.line``.
        """
        return Journal(
            template=values["template"],
            lines=_lines(values),
            description=values["description"],
            occurred_at=values["occurred_at"],
            corrects=values["corrects"],
        )


def _lines(values: Mapping[str, Any]) -> tuple[PostingLine, ...]:
    if "lines" not in values:
        amount = Money(values["amount"], values["currency"])
        return journals.fill(values["template"], amount=amount, parts=values.get("parts", {}))
    return tuple(
        journals.line(code=one["account"], currency=one["currency"], amount=one["amount"], method=one["method"])
        for one in values["lines"]
    )
