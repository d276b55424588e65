"""Comparing what the clients saw, the database, the ledger and the provider's own truth: pure, finding by finding."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from paymentops.chaos.journal import Asked
from paymentops.chaos.system import SERVICES
from paymentops.chaos.views import Amounts, Booked, Row, amounts_of

_REFUSED_REUSE = "idempotency.key_reused"


class Kind(StrEnum):
    """What is wrong."""

    DUPLICATE = "duplicates"
    LOST = "lost"
    MISMATCHED = "mismatched"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, as a sentence that names it."""

    kind: Kind
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What each side says once the faults have stopped."""

    asked: list[Asked]
    seen: Mapping[str, dict[str, Any]]
    payments: list[Row]
    requests: Mapping[tuple[str, str, str], int]
    books: Mapping[str, Booked]
    truth: list[dict[str, Any]]
    violations: Mapping[str, list[str]]
    unfinished: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def compare(views: Views) -> list[Finding]:
    """Return everything that does not agree."""
    return [
        *_answers(views.asked),
        *_clients_with_payments(views),
        *_clients_with_requests(views),
        *_seen_with_payments(views),
        *_payments_with_truth(views),
        *_payments_with_books(views),
        *(Finding(Kind.STUCK, what) for what in (*views.unfinished, *views.troubles)),
        *(
            Finding(Kind.MISMATCHED, f"{check}: {violation}")
            for check, violations in views.violations.items()
            for violation in violations
        ),
    ]


def _answers(asked: Iterable[Asked]) -> Iterator[Finding]:
    """Every acceptance of one key has the same bytes; another body under it is refused, always."""
    for each in asked:
        bodies = {answer.body for answer in each.answers if answer.accepted}
        if each.ask.what == "create with another body":
            if bodies or (each.last is not None and each.last.code != _REFUSED_REUSE):
                yield Finding(Kind.MISMATCHED, f"the key {each.ask.key} was taken for another body")
        elif len(bodies) > 1:
            yield Finding(Kind.MISMATCHED, f"{each.ask.what} under {each.ask.key} was accepted with different answers")


def _clients_with_payments(views: Views) -> Iterator[Finding]:
    rows = {row.id: row for row in views.payments}
    known: set[str] = set()
    for asked in views.asked:
        if asked.ask.what != "create" or asked.accepted is None:
            continue
        told = asked.accepted.json()
        row = rows.get(told["id"])
        known.add(told["id"])
        if row is None:
            yield Finding(Kind.LOST, f"{told['id']} was accepted and is not in the database")
        elif (row.requested, row.currency, row.key) != (told["amount"], told["currency"], asked.ask.key):
            yield Finding(Kind.MISMATCHED, f"{row.id} was accepted as {told['amount']} {told['currency']}, is {row}")
    for row in views.payments:
        if row.id not in known:
            yield Finding(Kind.DUPLICATE, f"{row.id} is in the database and no client was told of it")
    keys = Counter((row.service, row.key) for row in views.payments)
    yield from (Finding(Kind.DUPLICATE, f"{times} payments under {key}") for key, times in keys.items() if times > 1)


def _clients_with_requests(views: Views) -> Iterator[Finding]:
    accepted = {
        (SERVICES[asked.ask.order.service], asked.ask.what, asked.ask.key)
        for asked in views.asked
        if asked.accepted is not None and not asked.ask.what.startswith("create")
    }
    for request in sorted(accepted - views.requests.keys()):
        yield Finding(Kind.LOST, f"{request} was accepted and is not in the database")
    for request in sorted(views.requests.keys() - accepted):
        yield Finding(Kind.DUPLICATE, f"{request} is in the database and no client was told of it")
    yield from (
        Finding(Kind.DUPLICATE, f"{times} rows for {request}") for request, times in views.requests.items() if times > 1
    )


def _seen_with_payments(views: Views) -> Iterator[Finding]:
    """What each client saw last is what the database has now: the client looked when all had come to rest."""
    for row in views.payments:
        told = views.seen.get(row.id)
        if told is None:
            continue
        amounts = Amounts(*(told["amounts"][name] for name in ("authorized", "captured", "voided", "refunded")))
        if (told["state"], amounts) != (row.state, row.amounts):
            yield Finding(Kind.MISMATCHED, f"{row.id} shows {told['state']} {amounts}, is {row.state} {row.amounts}")


def _payments_with_truth(views: Views) -> Iterator[Finding]:
    real = [charge for charge in views.truth if charge["authorized"]]
    for charge in views.truth:
        for key, times in charge["effects"].items():
            if times > 1:
                yield Finding(Kind.DUPLICATE, f"the provider carried {key} out {times} times")
    charges = Counter(charge["reference"] for charge in real)
    for reference, times in charges.items():
        if times > 1:
            yield Finding(Kind.DUPLICATE, f"the provider charged {reference} {times} times")
    theirs = {charge["reference"]: amounts_of(charge) for charge in real}
    ours = {row.id: row.amounts for row in views.payments}
    for payment in sorted(ours.keys() | theirs.keys()):
        own, other = ours.get(payment, Amounts()), theirs.get(payment, Amounts())
        if own != other:
            kind = Kind.LOST if payment not in ours or own == Amounts() else Kind.MISMATCHED
            yield Finding(kind, f"{payment}: we have {own}, the provider {other}")


def _payments_with_books(views: Views) -> Iterator[Finding]:
    for row in views.payments:
        sums = row.amounts
        holds = row.state in ("AUTHORIZED", "PARTIALLY_CAPTURED")
        expected = Booked(
            posted=sums.captured - sums.refunded,
            pending=sums.authorized - sums.captured - sums.voided if holds else 0,
        )
        booked = views.books.get(row.id, Booked())
        if booked != expected:
            yield Finding(Kind.MISMATCHED, f"{row.id}: the ledger has {booked}, expected {expected}")
