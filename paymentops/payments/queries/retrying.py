"""What the retry policy looks at: a request's attempts, who may take over, a card's tries and recent traffic."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q

from paymentops.core import ids
from paymentops.idempotency import fingerprint as fingerprints
from paymentops.payments import retry, routes, routing
from paymentops.payments.models import Attempt, AttemptTransition, Payment, ProviderCall
from paymentops.payments.routing import Options, Wish
from paymentops.payments.states import AttemptState, CaptureMode
from paymentops.providers import registry
from paymentops.providers.contract import Capabilities, Method, Operation

_NO_PROVIDER_ASKED: Final = fingerprints.of({"provider": ""}).fields["provider"]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Authorisations of one provider and method in a window: how many succeeded, how many were further tries."""

    successes: int
    tried_again: int


def recent_traffic(*, provider: str, method: str, window: timedelta, now: datetime) -> Traffic:
    """Count what a retry budget compares; ids sort by time, so their index serves."""
    found = Attempt.objects.filter(
        pk__gte=ids.first_at(now - window), provider=provider, operation=Operation.AUTHORIZE, payment__method=method
    ).aggregate(
        successes=Count("pk", filter=Q(state=AttemptState.SUCCEEDED)),
        tried_again=Count("pk", filter=Q(number__gt=1, dispatches__gt=0)),
    )
    return Traffic(**found)


def first_attempt(payment: Payment) -> Attempt:
    """Return the first attempt of a payment's authorisation."""
    return payment.attempts.filter(operation=Operation.AUTHORIZE).order_by("number", "id")[0]


def attempt_before(attempt: Attempt) -> Attempt:
    """Return the attempt whose end another one follows."""
    return Attempt.objects.get(payment_id=attempt.payment_id, operation=attempt.operation, number=attempt.number - 1)


def case_of(payment: Payment, attempt: Attempt, *, now: datetime) -> retry.Case:
    """Gather what the retry policy looks at when ``attempt`` got a no; it need not be saved yet."""
    is_authorization = attempt.operation == Operation.AUTHORIZE
    attempts = _until(payment, attempt) if is_authorization else [attempt]
    first = attempts[0]
    return retry.Case(
        policy=retry.policy(payment.policy_version),
        operation=Operation(attempt.operation),
        root=first.pk,
        begun_at=first.first_dispatched_at or now,
        tried=tuple(one.provider for one in attempts),
        candidates=candidates_of(payment),
        payer_acted=AttemptTransition.objects.filter(attempt=attempt, to_state=AttemptState.ACTION_REQUIRED).exists(),
        withdrawn=payment.cancel_requested_at is not None,
        charged_elsewhere=_happened_after_all(attempts[:-1]),
        cap_reached=_cap_reached(payment, attempt, now=now),
    )


def _until(payment: Payment, attempt: Attempt) -> list[Attempt]:
    before = payment.attempts.filter(operation=Operation.AUTHORIZE, number__lt=attempt.number)
    return [*before.order_by("number", "id"), attempt]


def _happened_after_all(attempts: list[Attempt]) -> bool:
    """Tell whether a provider said yes of an attempt that had ended, and there was no room for it."""
    return ProviderCall.objects.filter(
        attempt__in=[one.pk for one in attempts], outcome="Approved", applied=False
    ).exists()


def _cap_reached(payment: Payment, attempt: Attempt, *, now: datetime) -> str:
    if not attempt.scheme:
        return ""
    others = Attempt.objects.filter(instrument=attempt.instrument, scheme=attempt.scheme).exclude(pk=attempt.pk)
    for cap in retry.policy(payment.policy_version).caps_of(attempt.scheme, at=now):
        if others.filter(created_at__gt=now - cap.window).count() + 1 >= cap.tries:
            return cap.rule
    return ""


def candidates_of(payment: Payment) -> dict[str, Capabilities]:
    """Return the providers that may carry a payment's authorisation, the best first, with what they declare.

    One that the client asked for is never replaced; others must stand in a group with it, because most payment tokens
    mean nothing to another provider.
    """
    options = Options(table=routes.current(), providers=registry.capabilities())
    if payment.key.field_digests.get("provider") != _NO_PROVIDER_ASKED:
        return {name: declared for name, declared in options.providers.items() if name == payment.provider}
    wish = Wish(
        method=Method(payment.method),
        amount=payment.money(payment.requested),
        hold=payment.capture_mode == CaptureMode.MANUAL,
    )
    found = routing.candidates(wish=wish, payment_id=payment.pk, options=options)
    able = [one.provider for one in found if not one.excluded and _may_take_over(payment, one.provider)]
    return {name: options.providers[name] for name in able}


def _may_take_over(payment: Payment, provider: str) -> bool:
    return provider == payment.provider or any(
        {provider, payment.provider} <= set(group.split("+")) for group in settings.FAILOVER_GROUPS
    )


@dataclass(frozen=True, slots=True)
class Future:
    """An open attempt and what would follow each class of its next answer."""

    attempt: Attempt
    branches: list[retry.Branch]


def futures_of(payment: Payment) -> list[Future]:
    """Return what would follow for each open attempt of a payment; it does not depend on when one asks."""
    return [
        Future(attempt, retry.plan(_outlook(payment, attempt)))
        for attempt in payment.attempts.open().order_by("created_at", "id")
    ]


def _outlook(payment: Payment, attempt: Attempt) -> retry.Outlook:
    waits = attempt.state in (AttemptState.UNKNOWN, AttemptState.PENDING, AttemptState.ACTION_REQUIRED)
    sending = attempt.state == AttemptState.DISPATCHED
    at = attempt.last_dispatched_at if sending else attempt.next_action_at
    at = at or attempt.created_at
    return retry.Outlook(
        case=case_of(payment, attempt, now=at),
        at=at,
        sent=attempt.dispatches - (waits or sending),
        asked=attempt.inquiries + 1 if waits else 0,
        in_doubt=waits or attempt.was_unknown,
    )


def hypothetical(*, policy: retry.Policy, provider: str, operation: Operation, root: UUID, at: datetime) -> retry.Case:
    """Return the case of a request that is first sent at ``at``; every provider of its groups could take over.

    Raises:
        UnknownProvider: there is no such provider here.
    """
    declared = {provider: registry.get(provider).capabilities}
    fellows = {name for group in settings.FAILOVER_GROUPS for name in group.split("+") if provider in group.split("+")}
    others = {name: one for name, one in registry.capabilities().items() if name in fellows}
    return retry.Case(
        policy=policy, operation=operation, root=root, begun_at=at, tried=(provider,), candidates=declared | others
    )
