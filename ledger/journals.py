"""Manual journals as values: their templates, what may stand in one, and the form in which a proposal keeps it.

A template says which two lines of the chart it debits and credits; the free ones leave the lines to the person. The
functions go from values to values; ``ledger.operations.journals`` proposes and posts.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from ledger import chart
from ledger.chart import AccountRef
from ledger.models import State
from ledger.postings import Posting, PostingLine, Source
from paymentops.core import ids
from paymentops.core.errors import InvalidInput, NotFound
from paymentops.core.money import Money

SOURCE_TYPE: Final = "journal"
LONGEST_DESCRIPTION: Final = 200
MOST_LINES: Final = 500
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")
_METHOD: Final = re.compile(r"[a-z0-9_]{0,32}")


class JournalNotUsable(InvalidInput):
    """A journal's lines, account, text or moment cannot be taken as they are."""

    code = "ledger.journal_not_usable"
    title = "The journal cannot be proposed like this"


class UnknownTemplate(NotFound):
    """There is no such template of journals."""

    code = "ledger.unknown_template"
    title = "There is no such template"


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of journal that people post by hand.

    Args:
        name: stable, ``write_off``.
        title: what people read.
        debit: the number in the chart that is debited; empty where the lines are free.
        credit: the number that is credited; empty where the lines are free.
        needs_attachment: whether it may only be proposed with a file beside it.
        corrects_entry: whether it names the entry that it corrects.
    """

    name: str
    title: str
    debit: str = ""
    credit: str = ""
    needs_attachment: bool = False
    corrects_entry: bool = False

    @property
    def is_free(self) -> bool:
        """Whether the person chooses the accounts."""
        return not self.debit

    @property
    def parts(self) -> tuple[str, ...]:
        """What names its accounts, in the words of the chart: ``bank account``; one word serves both sides."""
        named = (chart.CHART[number].part for number in (self.debit, self.credit) if number)
        return tuple(dict.fromkeys(part for part in named if part))


_TEMPLATES: Final = (
    Template("write_off", "Write off what cannot be explained", "5040", "1290", needs_attachment=True),
    Template("gain", "Keep a receipt that nobody claims", "2090", "4090", needs_attachment=True),
    Template("bank_charge", "Bank charge", "5010", "1010"),
    Template("fee_added", "Provider fee that was not booked", "5010", "1110", needs_attachment=True),
    Template("fee_taken_back", "Provider fee that was booked too high", "1110", "5010", needs_attachment=True),
    Template("reserve_held", "Provider keeps a reserve", "1130", "1110"),
    Template("reserve_released", "Provider gives a reserve back", "1110", "1130"),
    Template("client_payout", "Pay out to a client", "2010", "1010", needs_attachment=True),
    Template("correction", "Correct an entry", corrects_entry=True),
    Template("free", "Free form", needs_attachment=True),
)
TEMPLATES: Final = MappingProxyType({template.name: template for template in _TEMPLATES})


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal before it is proposed: a template's name, its lines, what it is, and when it really happened.

    ``corrects`` is the entry that a correction speaks of.
    """

    template: str
    lines: tuple[PostingLine, ...]
    description: str
    occurred_at: datetime
    corrects: UUID | None = None


def template(name: str) -> Template:
    """Return a template by name.

    Raises:
        UnknownTemplate: there is none.
    """
    try:
        return TEMPLATES[name]
    except KeyError:
        raise UnknownTemplate(f"There is no template {name[:40]!r}; there are {', '.join(TEMPLATES)}.") from None


def fill(name: str, *, amount: Money, parts: Mapping[str, str]) -> tuple[PostingLine, ...]:
    """Return the two lines of a template.

    Args:
        name: a template whose accounts are fixed.
        amount: positive.
        parts: what names the accounts, by the words of ``Template.parts``: ``{"bank account": "main"}``.

    Raises:
        UnknownTemplate: there is none.
        JournalNotUsable: the template is free, the amount is not positive, or a part is missing.
    """
    chosen = template(name)
    if chosen.is_free:
        raise JournalNotUsable(f"{chosen.title} has no accounts of its own; give the lines.")
    if amount.minor <= 0:
        raise JournalNotUsable("The amount of a journal is greater than zero; choose the template the other way round.")
    if missing := [part for part in chosen.parts if not parts.get(part)]:
        raise JournalNotUsable(f"Name the {missing[0]}.")
    return (
        PostingLine(_account_of(chosen.debit, amount.currency, parts), amount.minor),
        PostingLine(_account_of(chosen.credit, amount.currency, parts), -amount.minor),
    )


def line(*, code: str, currency: str, amount: int, method: str = "") -> PostingLine:
    """Return one line of a free journal; the amount in minor units, debit positive.

    Raises:
        UnknownAccount: the code does not follow the chart.
        UnknownCurrency: the currency is not an active ISO 4217 code.
        JournalNotUsable: the part or the method holds other characters, or the account has no methods.
    """
    number, _, part = code.partition(":")
    if part and not _PART.fullmatch(part):
        raise JournalNotUsable(f"{part[:40]!r} cannot name an account; use letters, digits and . _ -")
    if method and (number != "1110" or not _METHOD.fullmatch(method)):
        raise JournalNotUsable("Only lines on 1110 have a method, in small letters, digits and _.")
    Money(amount, currency)
    return PostingLine(chart.account(number, currency, part=part), amount, method)


def check(journal: Journal, *, now: datetime) -> None:
    """Refuse a journal that could not be posted as it is.

    Raises:
        UnbalancedPosting: the lines do not make an entry.
        UnknownTemplate, UnknownAccount, JournalNotUsable: see there.
    """
    chosen = template(journal.template)
    description = journal.description
    if not 1 <= len(description.strip()) <= LONGEST_DESCRIPTION or not description.isprintable():
        raise JournalNotUsable(f"Describe the journal in one line of 1 to {LONGEST_DESCRIPTION} characters.")
    if journal.occurred_at.tzinfo is None or journal.occurred_at > now:
        raise JournalNotUsable("A journal cannot happen in the future; give a moment that has passed, with its zone.")
    if (journal.corrects is not None) != chosen.corrects_entry:
        wanted = "names the entry that it corrects" if chosen.corrects_entry else "corrects no entry"
        raise JournalNotUsable(f"{chosen.title}: such a journal {wanted}.")
    if len(journal.lines) > MOST_LINES:
        raise JournalNotUsable(f"A manual journal has at most {MOST_LINES} lines; split it.")
    for one in journal.lines:
        line(code=one.account.code, currency=one.account.currency, amount=one.amount, method=one.method)
    posting(journal, proposal_id=UUID(int=0))
    if not chosen.is_free:
        _check_accounts(chosen, journal.lines)


def posting(journal: Journal, *, proposal_id: UUID) -> Posting:
    """Return the entry that a journal becomes; its source is the proposal, so it is posted once."""
    source = Source(SOURCE_TYPE, proposal_id, "posted")
    return Posting(source, State.POSTED, journal.lines, journal.description.strip())


def as_payload(journal: Journal) -> dict[str, Any]:
    """Return the JSON in which a proposal keeps a journal; amounts are text, which every reader keeps exactly."""
    return {
        "template": journal.template,
        "description": journal.description.strip(),
        "occurred_at": journal.occurred_at.isoformat(),
        "corrects": ids.public(ids.Prefix.ENTRY, journal.corrects) if journal.corrects else None,
        "lines": [
            {
                "account": one.account.code,
                "currency": one.account.currency,
                "amount": str(one.amount),
                "method": one.method,
            }
            for one in journal.lines
        ],
    }


def from_payload(payload: Mapping[str, Any]) -> Journal:
    """Return the journal that a proposal keeps."""
    return Journal(
        template=payload["template"],
        lines=tuple(
            line(code=one["account"], currency=one["currency"], amount=int(one["amount"]), method=one["method"])
            for one in payload["lines"]
        ),
        description=payload["description"],
        occurred_at=datetime.fromisoformat(payload["occurred_at"]),
        corrects=ids.parse(ids.Prefix.ENTRY, payload["corrects"]) if payload["corrects"] else None,
    )


def _account_of(number: str, currency: str, parts: Mapping[str, str]) -> AccountRef:
    word = chart.CHART[number].part
    part = parts[word] if word else ""
    return line(code=f"{number}:{part}" if part else number, currency=currency, amount=1).account


def _check_accounts(chosen: Template, lines: Iterable[PostingLine]) -> None:
    """Refuse lines that are not what the template's name says."""
    sides = sorted(((one.amount > 0, one.account.code.partition(":")) for one in lines), reverse=True)
    if [number for _, (number, _, _) in sides] != [chosen.debit, chosen.credit]:
        raise JournalNotUsable(f"{chosen.title} debits {chosen.debit} and credits {chosen.credit}, once each.")
    words = [chart.CHART[number].part for number in (chosen.debit, chosen.credit)]
    if words[0] and words[0] == words[1] and sides[0][1][2] != sides[1][1][2]:
        raise JournalNotUsable(f"{chosen.title} stays with one {words[0]}.")
