"""The strip of invariants above a payment's story: from its rows to passes and failures, each with its reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.queries import EntryView
from paymentops.core.money import Money
from paymentops.idempotency.models import UseOutcome
from paymentops.payments.states import AttemptState, PaymentState
from paymentops.payments.timeline import Record

_PAYABLE: Final = "2010:"
_RECEIVABLE: Final = "1110:"
_COUNTS_AS_POSTED: Final = ("POSTED", "REVERSED")
_HOLDS: Final = (PaymentState.AUTHORIZED, PaymentState.PARTIALLY_CAPTURED)


class Verdict(StrEnum):
    """How an invariant stands; an open one waits for something that is on its way."""

    HOLDS = "holds"
    OPEN = "open"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: what must hold, how it stands, why, and where on the page to look."""

    title: str
    verdict: Verdict
    reason: str
    anchor: str = ""


def of(record: Record) -> list[Check]:
    """Return the invariants of one payment, computed from its stored rows."""
    return [
        _key_used_once(record),
        _state_is_its_history(record),
        _within_limits(record),
        _captured_is_posted(record),
        _held_is_pending(record),
        _refunded_is_posted(record),
        _balanced(record),
        _nothing_unknown(record),
        _told(record),
    ]


def _key_used_once(record: Record) -> Check:
    key = record.keys[record.payment.key_id]
    replays = sum(use.outcome == UseOutcome.REPLAYED and use.key_id == key.id for use in record.uses)
    refusals = sum(use.outcome == UseOutcome.REFUSED and use.key_id == key.id for use in record.uses)
    return Check(
        "Key used for this payment only",
        _verdict(key.resource_type == "payment" and key.resource_id == record.payment.id),
        f"{_count(replays, 'replay')}, {_count(refusals, 'refused reuse')}",
        f"ev_{key.id.hex}",
    )


def _state_is_its_history(record: Record) -> Check:
    state = record.payment.state
    folded = "" if not record.moves else record.moves[-1].to_state
    chained = all(
        later.from_state == earlier.to_state for earlier, later in zip(record.moves, record.moves[1:], strict=False)
    )
    return Check(
        "State follows from its moves",
        _verdict(folded == state and chained),
        _count(len(record.moves), "move") if folded == state else f"the moves end in {folded or 'nothing'}",
    )


def _within_limits(record: Record) -> Check:
    payment = record.payment
    captured = payment.captured + payment.voided <= payment.authorized <= payment.requested
    refunded = payment.refunded + payment.refund_reserved <= payment.captured
    return Check(
        "Amounts within their limits",
        _verdict(captured and refunded),
        "captured and voided within authorised, refunds within captured",
    )


def _captured_is_posted(record: Record) -> Check:
    payment = record.payment
    posted = -_sum(_of(record, "payment", "capture"), _PAYABLE, _COUNTS_AS_POSTED)
    return _equal("Captured = ledger", payment.money(payment.captured - payment.reversed), payment.money(posted))


def _held_is_pending(record: Record) -> Check:
    payment = record.payment
    state = payment.resume_state or payment.state
    held = payment.uncaptured if state in _HOLDS else 0
    pending = -_sum(_of(record, "payment", "capture"), _PAYABLE, ("PENDING",))
    return _equal("Held = ledger", payment.money(held), payment.money(pending))


def _refunded_is_posted(record: Record) -> Check:
    payment = record.payment
    posted = -_sum(_of(record, "refund"), _RECEIVABLE, _COUNTS_AS_POSTED)
    return _equal("Refunded = ledger", payment.money(payment.refunded), payment.money(posted))


def _balanced(record: Record) -> Check:
    crooked = [entry for entry in record.entries if len(entry.lines) < 2 or any(_totals(entry).values())]
    return Check(
        "Ledger entries balance",
        _verdict(not crooked),
        f"{_count(len(record.entries), 'entry', 'entries')}, each summing to zero"
        if not crooked
        else f"{', '.join(entry.id for entry in crooked)} do not sum to zero",
    )


def _nothing_unknown(record: Record) -> Check:
    unknown = [attempt for attempt in record.attempts if attempt.state == AttemptState.UNKNOWN]
    return Check(
        "No outcome unknown",
        Verdict.OPEN if unknown else Verdict.HOLDS,
        _count(len(record.attempts), "attempt") if not unknown else f"{_count(len(unknown), 'attempt')} being asked",
        f"ev_{unknown[0].id.hex}" if unknown else "",
    )


def _told(record: Record) -> Check:
    waiting = [event for event in record.events if event.delivery_pending or event.publication_pending]
    failing = [event for event in waiting if event.delivery_failures]
    told = f"all {_count(len(record.events), 'event')} delivered"
    return Check(
        "Every event told",
        Verdict.OPEN if waiting else Verdict.HOLDS,
        f"{len(waiting)} of {_count(len(record.events), 'event')} waiting for the relay" if waiting else told,
        f"ev_{(failing or waiting)[0].id.hex}" if waiting else "",
    )


def _verdict(holds: bool) -> Verdict:
    return Verdict.HOLDS if holds else Verdict.BROKEN


def _equal(title: str, ours: Money, posted: Money) -> Check:
    holds = ours == posted
    return Check(title, _verdict(holds), f"{ours} on both" if holds else f"payment {ours}, ledger {posted}")


def _of(record: Record, *types: str) -> list[EntryView]:
    return [entry for entry in record.entries if entry.source_type in types]


def _sum(entries: Iterable[EntryView], account: str, states: tuple[str, ...]) -> int:
    return sum(
        line.amount
        for entry in entries
        if entry.state in states
        for line in entry.lines
        if line.account.startswith(account)
    )


def _totals(entry: EntryView) -> dict[str, int]:
    totals: dict[str, int] = {}
    for line in entry.lines:
        totals[line.currency] = totals.get(line.currency, 0) + line.amount
    return totals


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
