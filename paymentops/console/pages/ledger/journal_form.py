"""The form of a manual journal: from what a person types to lines, with an error beside each field that needs one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final
from uuid import UUID

from django import forms

from ledger import journals
from ledger.journals import Journal, JournalNotUsable, Template
from ledger.postings import PostingLine
from paymentops.casework import facts
from paymentops.casework.operations.proposing import LONGEST_REASON
from paymentops.console import formats
from paymentops.core import currencies, ids
from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money

ROWS: Final = 4
_MOST_ROWS: Final = 100


class ReasonForm(forms.Form):
    """What every proposal asks for: when it happened, why, and a file that proves it."""

    # The server names every field that misses something; a browser would stop at the first and block other buttons.
    use_required_attribute = False

    day = forms.DateField(
        label="When it happened",
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        help_text="A day in UTC. Where its month is closed, it takes effect when the open books begin.",
    )
    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For whoever approves it and for the auditor.",
    )
    evidence = forms.FileField(
        label="Evidence",
        required=False,
        help_text="PDF, picture, Excel, Word, CSV or text.",
    )

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        self.fields["day"].initial = now.date()

    def occurred_at(self) -> datetime:
        """Return the moment of the day given: its end, or the present one for today."""
        day: date = self.cleaned_data["day"]
        return self.now if day == self.now.date() else datetime.combine(day, time.max, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LineRow:
    """The fields of one free line."""

    account: forms.BoundField
    currency: forms.BoundField
    debit: forms.BoundField
    credit: forms.BoundField


class JournalForm(ReasonForm):
    """A journal by a template: an amount and the names of its accounts, or free lines."""

    description = forms.CharField(
        label="Description",
        max_length=journals.LONGEST_DESCRIPTION,
        help_text="One line that stands on the entry and in statements.",
    )

    def __init__(self, template: Template, *args: Any, rows: int = ROWS, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.template = template
        self.rows = max(ROWS, min(rows, _MOST_ROWS)) if template.is_free else 0
        self.journal: Journal | None = None
        if template.corrects_entry:
            self.fields["corrects"] = forms.CharField(label="Corrects the entry", help_text="Its id, ent_…")
        if not template.is_free:
            self.fields["amount"] = forms.CharField(label="Amount")
            self.fields["currency"] = _currency(required=True)
        for number, word in enumerate(template.parts):
            self.fields[f"part_{number}"] = forms.CharField(
                label=word.capitalize(), help_text=f"Which {word}: the part of the account behind the colon."
            )
        for number in range(self.rows):
            self._add_row(number)
        self.order_fields(("description", "corrects", "amount", "currency", *self._part_names(), "day", "reason"))

    def of_template(self) -> Iterator[forms.BoundField]:
        """Yield the fields in their order, without those of free lines and the file."""
        for name in self.fields:
            if name != "evidence" and not name.startswith(("account_", "currency_", "debit_", "credit_")):
                yield self[name]

    def line_rows(self) -> Iterator[LineRow]:
        """Yield the fields of free lines, row by row."""
        for number in range(self.rows):
            yield LineRow(*(self[f"{name}_{number}"] for name in ("account", "currency", "debit", "credit")))

    def clean(self) -> dict[str, Any]:
        """Build the journal and refuse one that could not be posted."""
        cleaned = super().clean() or self.cleaned_data
        lines = self._free_lines() if self.template.is_free else self._template_lines()
        if self.errors:
            return cleaned
        try:
            self.journal = Journal(
                template=self.template.name,
                lines=tuple(lines),
                description=cleaned["description"],
                occurred_at=self.occurred_at(),
                corrects=self._corrects(),
            )
            journals.check(self.journal, now=self.now)
        except ApplicationError as refusal:
            self.journal = None
            self.add_error(None, refusal.detail)
        return cleaned

    def digest(self, attachment_ids: list[UUID]) -> str:
        """Return what a preview showed, as a hash: what is proposed must be the same."""
        if self.journal is None:
            return ""
        payload = journals.as_payload(self.journal) | {
            "occurred_at": self.cleaned_data["day"].isoformat(),
            "reason": self.cleaned_data["reason"],
            "attachments": sorted(str(each) for each in attachment_ids),
        }
        return facts.digest(payload)

    def _part_names(self) -> list[str]:
        return [f"part_{number}" for number in range(len(self.template.parts))]

    def _add_row(self, number: int) -> None:
        self.fields[f"account_{number}"] = forms.CharField(
            label=f"Account {number + 1}", required=False, widget=forms.TextInput(attrs={"list": "accounts"})
        )
        self.fields[f"currency_{number}"] = _currency(required=False)
        self.fields[f"debit_{number}"] = forms.CharField(label=f"Debit {number + 1}", required=False)
        self.fields[f"credit_{number}"] = forms.CharField(label=f"Credit {number + 1}", required=False)

    def _corrects(self) -> UUID | None:
        if not self.template.corrects_entry:
            return None
        return ids.parse(ids.Prefix.ENTRY, self.cleaned_data["corrects"])

    def _template_lines(self) -> list[PostingLine]:
        values = self.cleaned_data
        if not {"amount", "currency", *self._part_names()} <= values.keys():
            return []
        minor = self._minor("amount", values["currency"])
        parts = {word: values[f"part_{number}"] for number, word in enumerate(self.template.parts)}
        if minor is None:
            return []
        try:
            return list(journals.fill(self.template.name, amount=Money(minor, values["currency"]), parts=parts))
        except ApplicationError as refusal:
            self.add_error(None, refusal.detail)
            return []

    def _free_lines(self) -> list[PostingLine]:
        return [line for number in range(self.rows) for line in self._free_line(number)]

    def _free_line(self, number: int) -> Iterator[PostingLine]:
        """Yield what one row says: nothing where it is empty."""
        values = {name: self.cleaned_data.get(f"{name}_{number}", "") for name in ("account", "debit", "credit")}
        currency = self.cleaned_data.get(f"currency_{number}", "")
        if not any(values.values()):
            return
        if not values["account"] or not currency:
            self.add_error(f"account_{number}", "Give the account and its currency.")
            return
        if bool(values["debit"]) == bool(values["credit"]):
            self.add_error(f"debit_{number}", "Give a debit or a credit, one of them.")
            return
        side = "debit" if values["debit"] else "credit"
        minor = self._minor(f"{side}_{number}", currency)
        if minor is None:
            return
        try:
            yield journals.line(code=values["account"], currency=currency, amount=minor if side == "debit" else -minor)
        except ApplicationError as refusal:
            self.add_error(f"account_{number}", refusal.detail)

    def _minor(self, name: str, currency: str) -> int | None:
        """Read a positive amount; where it is none, note why beside its field."""
        try:
            minor = formats.minor_units(self.cleaned_data[name], currency)
            if minor <= 0:
                raise JournalNotUsable("Give an amount greater than zero.")
        except ApplicationError as refusal:
            self.add_error(name, refusal.detail)
            return None
        return minor


class _CurrencyField(forms.CharField):
    def clean(self, value: Any) -> Any:
        code = str(super().clean(value)).strip().upper()
        if code and not currencies.is_known(code):
            raise forms.ValidationError("This is no active ISO 4217 currency; write three letters, EUR.")
        return code


def _currency(*, required: bool) -> forms.CharField:
    return _CurrencyField(
        label="Currency",
        required=required,
        widget=forms.TextInput(attrs={"list": "currencies", "maxlength": "3", "autocapitalize": "characters"}),
    )
