"""Turning the rows of a payment's story into moments: from values to values, no query."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ledger.queries import EntryView, TransitionView
from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.idempotency.models import UseOutcome
from paymentops.payments.models import Attempt, ProviderCall
from paymentops.payments.models.moving import SYSTEM
from paymentops.payments.states import AttemptState, PaymentState, RefundState
from paymentops.payments.timeline import disputes
from paymentops.payments.timeline.record import Record, Request
from paymentops.payments.timeline.values import Fact, Lane, LedgerLine, Moment, known, moved

_ORDER: Final = {lane: position for position, lane in enumerate(Lane)}
# A provider's clock differs from ours and may tell whole seconds only: within this, what we knew first stands first.
_CLOCK_SLACK: Final = timedelta(seconds=5)


def tell(record: Record) -> list[Moment]:
    """Return the moments of a gathered story by time of event; at equal times causes stand before effects."""
    moments = [
        *_requests(record),
        *_uses(record),
        *_attempts(record),
        *_calls(record),
        *_state_moves(record),
        *disputes.moments(record),
        *_entries(record),
        *_events(record),
        *_human_actions(record),
    ]
    return sorted(moments, key=_place)


def _place(moment: Moment) -> tuple[datetime, int, datetime]:
    apart = abs(moment.received_at - moment.at)
    return moment.received_at if apart < _CLOCK_SLACK else moment.at, _ORDER[moment.lane], moment.at


def _requests(record: Record) -> Iterator[Moment]:
    payment = record.payment
    yield _request(
        record,
        payment,
        "Payment requested",
        {
            "amount": payment.money(payment.requested),
            "method": payment.method,
            "capture": payment.capture_mode,
            "reference": payment.reference,
            **({"route": f"{payment.provider}, {payment.route['reason']}"} if payment.route else {}),
        },
        raw={"metadata": payment.metadata, "rollout_decision": payment.rollout_decision, "route": payment.route},
    )
    for capture in record.captures:
        yield _request(record, capture, "Capture requested", {"amount": Money(capture.amount, capture.currency)})
    for cancellation in record.cancellations:
        yield _request(record, cancellation, "Cancel requested", {"taken as": cancellation.get_mode_display()})
    for resumption in record.resumptions:
        yield _request(record, resumption, "Resume requested", {"taken as": resumption.get_mode_display()})
    for refund in record.refunds:
        yield _request(record, refund, "Refund requested", {"amount": refund.money, "reason": refund.reason})


def _request(
    record: Record,
    made: Request,
    title: str,
    facts: Mapping[str, Fact],
    *,
    raw: Mapping[str, Any] | None = None,
) -> Moment:
    key = record.keys[made.key_id]
    return Moment(
        at=key.created_at,
        received_at=key.created_at,
        lane=Lane.REQUEST,
        title=title,
        anchor=f"ev_{key.id.hex}",
        actor=ids.public(ids.Prefix.CLIENT, key.client_id),
        trace_id=key.trace_id,
        facts=known(
            {
                "id": made.public_id,
                **facts,
                "idempotency key": key.key,
                "fingerprint": bytes(key.fingerprint).hex()[:12],
                "API key": f"{key.api_key_prefix}…",
            }
        ),
        raw={
            "operation": key.operation,
            "contract_version": key.contract_version,
            "fingerprint_version": key.fingerprint_version,
            "fingerprint": bytes(key.fingerprint).hex(),
            **(raw or {}),
        },
    )


def _uses(record: Record) -> Iterator[Moment]:
    for use in record.uses:
        key = record.keys[use.key_id]
        replayed = use.outcome == UseOutcome.REPLAYED
        yield Moment(
            at=use.at,
            received_at=use.at,
            lane=Lane.REQUEST,
            title="Key used again: first answer replayed" if replayed else "Key used again: refused, other command",
            anchor=f"ev_{use.id.hex}",
            actor=ids.public(ids.Prefix.CLIENT, key.client_id),
            trace_id=use.trace_id,
            facts={"idempotency key": key.key, "for": key.get_operation_display(), "API key": f"{use.api_key_prefix}…"},
        )


def _attempts(record: Record) -> Iterator[Moment]:
    attempts = {attempt.id: attempt for attempt in record.attempts}
    for attempt in record.attempts:
        yield Moment(
            at=attempt.created_at,
            received_at=attempt.created_at,
            lane=Lane.ATTEMPT,
            title=f"{_operation(attempt)}: prepared",
            anchor=f"ev_{attempt.id.hex}",
            facts={
                "id": attempt.public_id,
                "amount": attempt.money,
                "provider": attempt.provider,
                "provider key": attempt.provider_key,
            },
            raw={"dispatches": attempt.dispatches, "inquiries": attempt.inquiries, "schedule": attempt.schedule},
        )
    for move in record.attempt_moves:
        attempt = attempts[move.attempt_id]
        state = AttemptState(move.to_state).label
        yield moved(move, Lane.ATTEMPT, f"{_operation(attempt)}: {state}", {"id": attempt.public_id})


def _calls(record: Record) -> Iterator[Moment]:
    attempts = {attempt.id: attempt for attempt in record.attempts}
    for call in record.calls:
        attempt = attempts[call.attempt_id]
        if call.kind == ProviderCall.Kind.DECISION:
            yield _decision(call, attempt)
            continue
        told = call.kind == ProviderCall.Kind.NOTIFICATION
        yield Moment(
            at=call.started_at if told else call.answered_at,
            received_at=call.answered_at,
            lane=Lane.PROVIDER,
            title=f"{_call_words(call, attempt)}: {_result(call, attempt)}",
            anchor=f"ev_{call.id.hex}",
            actor=attempt.provider,
            trace_id=call.trace_id,
            facts=known(
                {
                    "attempt": attempt.public_id,
                    "code": call.code,
                    "message": call.message,
                    "provider reference": call.provider_reference,
                    "latency": "" if told else f"{call.latency_ms} ms",
                    "counted": "yes" if call.applied else "no, recorded only",
                }
            ),
            raw={"kind": call.kind, "number": call.number, "fence": call.fence, "applied": call.applied},
        )


def _decision(call: ProviderCall, attempt: Attempt) -> Moment:
    """Tell what two people decided; their names stand on the move it caused."""
    happened = call.outcome == "Approved"
    return Moment(
        at=call.answered_at,
        received_at=call.answered_at,
        lane=Lane.PERSON,
        title=f"{_operation(attempt)}: two people decided that it {'happened' if happened else 'did not happen'}",
        anchor=f"ev_{call.id.hex}",
        trace_id=call.trace_id,
        facts=known(
            {
                "attempt": attempt.public_id,
                "amount": Money(call.amount, attempt.currency) if call.amount is not None else "",
                "provider reference": call.provider_reference,
                "evidence": call.message,
            }
        ),
        raw={"kind": call.kind, "number": call.number, "applied": call.applied},
    )


def _state_moves(record: Record) -> Iterator[Moment]:
    for move in record.moves:
        yield moved(move, Lane.STATE, f"Payment: {PaymentState(move.to_state).label}", {})
    refunds = {refund.id: refund for refund in record.refunds}
    for refund_move in record.refund_moves:
        refund = refunds[refund_move.refund_id]
        yield moved(
            refund_move,
            Lane.STATE,
            f"Refund: {RefundState(refund_move.to_state).label}",
            {"id": refund.public_id, "amount": refund.money},
        )


_ENTRY_WORDS: Final = {
    ("", "PENDING"): "Held in the ledger",
    ("", "POSTED"): "Posted to the ledger",
    ("PENDING", "POSTED"): "Hold posted to the ledger",
    ("PENDING", "VOIDED"): "Hold taken out of the ledger",
    ("POSTED", "REVERSED"): "Reversed in the ledger",
}


def _entries(record: Record) -> Iterator[Moment]:
    for entry in record.entries:
        for move in entry.transitions:
            yield _entry(entry, move)


def _entry(entry: EntryView, move: TransitionView) -> Moment:
    lines = tuple(
        LedgerLine(line.account, line.account_name, Money(line.amount, line.currency)) for line in entry.lines
    )
    return Moment(
        at=move.occurred_at,
        received_at=move.recorded_at,
        lane=Lane.LEDGER,
        title=_ENTRY_WORDS[move.from_state, move.to_state],
        anchor=f"ev_{entry.id.removeprefix('ent_')}_{move.to_state.lower()}",
        actor=move.actor,
        cause=move.cause,
        trace_id=move.trace_id,
        facts=known(
            {
                "id": entry.id,
                "to": move.to_state,
                "description": entry.description,
                "effective": "" if move.effective_at == move.occurred_at else move.effective_at,
                "lines": lines,
            }
        ),
        raw={"source": [entry.source_type, entry.source_id.hex, entry.source_kind, entry.source_sequence]},
    )


def _events(record: Record) -> Iterator[Moment]:
    for event in record.events:
        yield Moment(
            at=event.occurred_at,
            received_at=event.recorded_at,
            lane=Lane.EVENT,
            title=f"Event {event.type}",
            anchor=f"ev_{event.id.hex}",
            trace_id=event.traceparent[3:35],
            facts=known(
                {
                    "id": event.public_id,
                    "sequence": event.sequence,
                    "delivered": event.delivered_at or "not yet",
                    "published": event.published_at or ("not yet" if event.publication_pending else ""),
                    "failed deliveries": event.delivery_failures or "",
                }
            ),
            raw={"type": event.type, "data": event.data},
        )


def _human_actions(record: Record) -> Iterator[Moment]:
    for action in record.human_actions:
        yield Moment(
            at=action.at,
            received_at=action.at,
            lane=Lane.PERSON,
            title=action.action.replace("_", " ").replace(".", ": ").capitalize(),
            anchor=f"ev_{action.id.hex}",
            actor=action.actor,
            trace_id=action.trace_id,
            facts=known({"id": action.object_id, "reason": action.reason, "for": action.on_behalf_of}),
            raw={"before": action.before, "after": action.after},
        )


def without_people(moments: Iterable[Moment]) -> list[Moment]:
    """Return what a service may see: no human action, and no name of a person behind a move."""
    machines = (SYSTEM, f"{ids.Prefix.CLIENT}_")
    return [
        moment
        if moment.lane is Lane.PROVIDER or not moment.actor or moment.actor.startswith(machines)
        else _nameless(moment)
        for moment in moments
        if moment.lane is not Lane.PERSON
    ]


def _nameless(moment: Moment) -> Moment:
    return Moment(
        at=moment.at,
        received_at=moment.received_at,
        lane=moment.lane,
        title=moment.title,
        anchor=moment.anchor,
        facts={name: fact for name, fact in moment.facts.items() if name != "reason"},
        actor="operator",
        cause=moment.cause,
        trace_id=moment.trace_id,
    )


def _operation(attempt: Attempt) -> str:
    return {"AUTHORIZE": "Authorisation", "CAPTURE": "Capture", "VOID": "Void", "REFUND": "Refund"}[attempt.operation]


def _call_words(call: ProviderCall, attempt: Attempt) -> str:
    match call.kind:
        case ProviderCall.Kind.DISPATCH:
            return f"{_operation(attempt)} sent to {attempt.provider}"
        case ProviderCall.Kind.INQUIRY:
            return f"{attempt.provider} asked about the {_operation(attempt).lower()}"
        case ProviderCall.Kind.COMPLETION:
            return f"What the payer brought back handed in to {attempt.provider}"
        case ProviderCall.Kind.WITHDRAWAL:
            return f"{attempt.provider} asked to take the {_operation(attempt).lower()} back"
        case _:
            return f"Notification from {attempt.provider}"


def _result(call: ProviderCall, attempt: Attempt) -> str:
    """Write what came back; that a payment was taken back is the no that a withdrawal wants."""
    is_withdrawn = call.kind == ProviderCall.Kind.WITHDRAWAL and call.outcome == "Declined" and call.applied
    return "done" if is_withdrawn and attempt.state == AttemptState.CANCELED else _words(call.outcome)


def _words(name: str) -> str:
    """Write a class name such as ``ActionRequired`` as words."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
