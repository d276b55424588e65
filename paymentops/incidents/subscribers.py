"""The event door: what other rooms tell of opens incidents, once per event."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.events.subscribers import Event, Subscriber
from paymentops.incidents import operations, rules
from paymentops.incidents.operations import Affected, Report
from paymentops.incidents.rules import Dimensions, Rule
from paymentops.payments.models import Attempt, Payment
from paymentops.payments.operations.giving_up import KIND as GIVEN_UP


def open_incident(*, event: Event, now: datetime) -> None:
    """Raise what an event tells of."""
    operations.raise_incident(_REPORTS[event.type](event), now=now)


def _late_evidence(event: Event) -> Report:
    """A provider said yes after a no was believed; without room for it, nobody has booked the money yet."""
    data = event.data
    rule = rules.LATE_EVIDENCE if data["applied"] else rules.EXCESS_EVIDENCE
    payment = Payment.objects.get(pk=ids.parse(ids.Prefix.PAYMENT, data["id"]))
    what = "was booked" if data["applied"] else "has no room for it"
    amount = Money(int(data["evidence_amount"]), payment.currency)
    return _report(
        rule,
        event,
        dimensions=Dimensions(
            provider=data["provider"],
            method=data["method"],
            operation=data["operation"],
            failure_class="APPLIED" if data["applied"] else "NO_ROOM",
            currency=payment.currency,
        ),
        text=f"{data['operation'].lower()} of {amount}: {data['id']} {what}.",
        affected=Affected(payment, amount, reason=rule.title),
    )


def _excess(event: Event) -> Report:
    """A payer sent too much; it is booked as owed back to them, and somebody must pay it back."""
    payment = Payment.objects.get(pk=ids.parse(ids.Prefix.PAYMENT, event.data["id"]))
    amount = Money(int(event.data["excess"]), payment.currency)
    return _report(
        rules.EXCESS_PAID,
        event,
        dimensions=Dimensions(
            provider=payment.at_provider,
            method=payment.method,
            operation="AUTHORIZE",
            failure_class="EXCESS",
            currency=payment.currency,
        ),
        text=f"{amount} too much for {event.data['id']} as {event.data['provider_reference']}; owed back to the payer.",
        affected=Affected(payment, amount, reason=rules.EXCESS_PAID.title),
    )


def _overdue(event: Event) -> Report:
    """Nobody knows what became of an attempt, for too long; past the settlement cut-off only people decide."""
    data = event.data
    rule = rules.OUTCOME_PAST_CUT_OFF if data["past_cut_off"] else rules.OUTCOME_OVERDUE
    failure_class = "PAST_CUT_OFF" if data["past_cut_off"] else "AGED"
    return _of_attempt(rule, event, failure_class=failure_class, minor=int(data["attempt_amount"]))


def _contradicted(event: Event) -> Report:
    """The books say what people decided and a provider says otherwise; one of them is wrong about the larger amount."""
    minor = max(int(event.data["amount_decided"]), int(event.data["amount_told"]))
    return _of_attempt(rules.DECISION_CONTRADICTED, event, failure_class="CONTRADICTED", minor=minor)


def _of_attempt(rule: Rule, event: Event, *, failure_class: str, minor: int) -> Report:
    data = event.data
    payment = Payment.objects.get(pk=ids.parse(ids.Prefix.PAYMENT, data["id"]))
    amount = Money(minor, payment.currency)
    return _report(
        rule,
        event,
        dimensions=Dimensions(
            provider=data["provider"],
            method=data["method"],
            operation=data["operation"],
            failure_class=failure_class,
            currency=payment.currency,
        ),
        text=f"{data['operation'].lower()} of {amount} as {data['attempt']}.",
        affected=Affected(payment, amount, reason=rule.title),
    )


def _duplicate_at_provider(event: Event) -> Report:
    """A payer was charged twice for one payment; the second charge must be found and given back."""
    payment = Payment.objects.get(pk=ids.parse(ids.Prefix.PAYMENT, event.data["id"]))
    return _report(
        rules.DUPLICATE_AT_PROVIDER,
        event,
        dimensions=Dimensions(
            provider=payment.provider,
            method=payment.method,
            operation="AUTHORIZE",
            failure_class="DUPLICATE",
            currency=payment.currency,
        ),
        text=f"{event.data['id']} was charged again as {event.data['provider_reference']}; give that charge back.",
        affected=Affected(payment, payment.money(payment.requested), reason=rules.DUPLICATE_AT_PROVIDER.title),
    )


def _capture_reversed(event: Event) -> Report:
    """A provider took money back that we had counted on; worse where it was refunded or withheld already."""
    data = event.data
    payment = Payment.objects.get(pk=ids.parse(ids.Prefix.PAYMENT, data["id"]))
    amount, missing = (Money(int(data[name]), payment.currency) for name in ("taken_back", "overdrawn"))
    rule = rules.CAPTURE_OVERDRAWN if missing.minor else rules.CAPTURE_REVERSED
    short = f"; {missing} of it is refunded, on its way or withheld already" if missing.minor else ""
    return _report(
        rule,
        event,
        dimensions=Dimensions(
            provider=payment.provider,
            method=payment.method,
            operation="CAPTURE",
            failure_class="OVERDRAWN" if missing.minor else "REVERSED",
            currency=payment.currency,
        ),
        text=f"{amount} of {data['id']} taken back ({data['reason'] or 'no reason given'}){short}.",
        affected=Affected(payment, amount, reason=rule.title),
    )


def _refund_reversed(event: Event) -> Report:
    """A refund did not reach the payer; it is booked as owed to them, and somebody must pay it another way or again."""
    data = event.data
    payment = Payment.objects.get(pk=ids.parse(ids.Prefix.PAYMENT, data["payment"]))
    amount = Money(int(data["reversed"]), payment.currency)
    return _report(
        rules.REFUND_REVERSED,
        event,
        dimensions=Dimensions(
            provider=payment.provider,
            method=payment.method,
            operation="REFUND",
            failure_class="REVERSED",
            currency=payment.currency,
        ),
        text=f"{amount} of {data['id']} came back ({data['failure_code'] or 'no reason given'}); owed to the payer.",
        affected=Affected(payment, amount, reason=rules.REFUND_REVERSED.title),
    )


def _dispute_opened(event: Event) -> Report:
    is_second = event.data["stage"] == "SECOND_CHARGEBACK"
    return _of_dispute(rules.DISPUTE_SECOND if is_second else rules.DISPUTE_OPENED, event)


def _dispute(rule: Rule) -> Callable[[Event], Report]:
    return lambda event: _of_dispute(rule, event)


def _of_dispute(rule: Rule, event: Event) -> Report:
    """Tell of a dispute; the money at risk is what is disputed, in the dispute's currency."""
    data = event.data
    amount = Money(int(data["amount"]), data["currency"])
    payment = None
    if data["payment"] is not None:
        payment = Payment.objects.get(pk=ids.parse(ids.Prefix.PAYMENT, data["payment"]))
    due = f", evidence due {data['evidence_due_at']}" if data["evidence_due_at"] else ""
    return _report(
        rule,
        event,
        dimensions=Dimensions(
            provider=data["provider"],
            method=data["method"] or "",
            operation="DISPUTE",
            failure_class=data["reason_class"],
            currency=amount.currency,
        ),
        text=f"{data['id']}: {amount}, {data['state'].lower().replace('_', ' ')}{due}.",
        affected=Affected(payment, amount, reason=rule.title) if payment is not None else None,
    )


def _dead_letter(event: Event) -> Report:
    kind, _, name = event.data["source"].partition(":")
    if kind == GIVEN_UP:
        return _gave_up(event)
    is_provider = kind == "webhook"
    return _report(
        rules.DEAD_LETTER,
        event,
        dimensions=Dimensions(
            provider=name[:40] if is_provider else "",
            operation=kind[:40] if is_provider else name[:40],
            failure_class="DEAD_LETTER",
        ),
        text=f"{event.data['source']} {event.data['reference']} after {event.data['attempts']} tries.",
    )


def _gave_up(event: Event) -> Report:
    """What a service asked for could not be carried out, for technical reasons; nothing will try it again."""
    attempt_id = ids.parse(ids.Prefix.ATTEMPT, event.data["reference"])
    attempt = Attempt.objects.select_related("payment").get(pk=attempt_id)
    return _report(
        rules.GAVE_UP,
        event,
        dimensions=Dimensions(
            provider=attempt.provider,
            method=attempt.payment.method,
            operation=attempt.operation,
            failure_class=attempt.result_class,
            currency=attempt.currency,
        ),
        text=f"{attempt.operation.lower()} of {attempt.money}: {attempt.payment.public_id} was given up.",
        affected=Affected(attempt.payment, attempt.money, reason=rules.GAVE_UP.title),
    )


def _balance_drifted(event: Event) -> Report:
    return _report(
        rules.BALANCE_DRIFTED,
        event,
        dimensions=Dimensions(
            operation=event.data["account"].partition(":")[0], failure_class="DRIFT", currency=event.data["currency"]
        ),
        text=f"Account {event.data['account']} {event.data['currency']}.",
    )


def _breaker_opened(event: Event) -> Report:
    data = event.data
    return _report(
        rules.BREAKER_OPENED,
        event,
        dimensions=Dimensions(
            provider=data["provider"],
            method=data["method"],
            operation=data["operation"],
            failure_class="BY_HAND" if data["by_hand"] else "BREAKER_OPEN",
        ),
        text=f"{data['provider']} {data['operation'].lower()} by {data['method']}: {data['reason']}",
    )


def _report(rule: Rule, event: Event, *, dimensions: Dimensions, text: str, affected: Affected | None = None) -> Report:
    return Report(
        rule=rule.name, severity=rule.severity, dimensions=dimensions, cause=event.id, text=text, affected=affected
    )


_REPORTS: Final[Mapping[str, Callable[[Event], Report]]] = {
    "payment.late_evidence": _late_evidence,
    "payment.excess_recorded": _excess,
    "payment.outcome_overdue": _overdue,
    "payment.decision_contradicted": _contradicted,
    "breaker.opened": _breaker_opened,
    "payment.duplicate_at_provider": _duplicate_at_provider,
    "payment.capture_reversed": _capture_reversed,
    "refund.reversed": _refund_reversed,
    "refund.reversed_in_part": _refund_reversed,
    "dispute.inquiry": _dispute(rules.DISPUTE_INQUIRY),
    "dispute.opened": _dispute_opened,
    "dispute.evidence_due": _dispute(rules.DISPUTE_DUE),
    "dispute.evidence_missed": _dispute(rules.DISPUTE_MISSED),
    "dispute.excess_recorded": _dispute(rules.DISPUTE_EXCESS),
    "dispute.unlinked": _dispute(rules.DISPUTE_UNLINKED),
    "dispute.contradicted": _dispute(rules.DISPUTE_CONTRADICTED),
    "events.dead_letter_made": _dead_letter,
    "ledger.balance_drifted": _balance_drifted,
}
SUBSCRIBER: Final = Subscriber(
    name="incidents", event_types=frozenset(_REPORTS), owner=rules.ENGINEERING, handle=open_incident
)
