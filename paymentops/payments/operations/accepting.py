"""Accepting payments exactly once: claim the key and write all that a payment is, in one statement and one commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from paymentops.core import failpoints, ids, tracing
from paymentops.core.errors import ApplicationError
from paymentops.core.failpoints import Point
from paymentops.idempotency import fingerprint as fingerprints
from paymentops.idempotency import keys
from paymentops.idempotency import operations as idempotency
from paymentops.idempotency.fingerprint import Fingerprint
from paymentops.idempotency.models import UseOutcome
from paymentops.payments import event_data, intake_sql, retry, routes, routing
from paymentops.payments.bodies import AcceptedPayment
from paymentops.payments.commands import CreatePayment
from paymentops.payments.intake_sql import Intake, Owner
from paymentops.payments.queries import breakers as queries
from paymentops.payments.routing import Options, Wish
from paymentops.payments.states import CaptureMode
from paymentops.providers import contract, registry
from paymentops.providers.contract import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """The API client a request came from, and which of its keys authenticated it."""

    client_id: UUID
    api_key_prefix: str

    @property
    def actor(self) -> str:
        """The client's public id, as transitions name it."""
        return ids.public(ids.Prefix.CLIENT, self.client_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted request: the body to answer with, and whether it is the repetition of an earlier answer."""

    resource_id: UUID
    body: bytes
    replayed: bool
    status: int = 201


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """One payment to accept, under its key."""

    key: str
    command: CreatePayment
    request_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class _Offer:
    keyed: Keyed
    fingerprint: Fingerprint
    payment: AcceptedPayment
    key_id: UUID
    provider_key_length: int
    route: dict[str, str]


type Result = Accepted | ApplicationError


def replay_payment(*, requester: Requester, key: str, request_digest: bytes, now: datetime) -> Accepted | None:
    """Answer a retry whose bytes are those of the first request; ``None`` for everything that needs reading first.

    ``request_digest`` is the SHA-256 of the raw body. Most retries are sent by a library that kept the bytes.
    """
    owner = intake_sql.replay(
        client_id=requester.client_id,
        key=key,
        request_digest=request_digest,
        use_id=ids.new(now),
        api_key_prefix=requester.api_key_prefix,
        now=now,
        trace_id=tracing.current_trace_id(),
    )
    return _replayed(owner) if owner else None


def create_payment(*, requester: Requester, item: Keyed, now: datetime) -> Accepted:
    """Accept one payment, or answer a retry with the first result.

    Commits key, payment, attempt, transition and event together; rings no bell and calls no provider.

    Raises:
        KeyReused: the key belongs to another command.
        KeyInFlight: the first request with this key is still being executed.
        NoRoute: no provider can take it; the key stays free.
    """
    [result] = create_payments(requester=requester, items=[item], now=now)
    if isinstance(result, ApplicationError):
        raise result
    return result


def create_payments(*, requester: Requester, items: Sequence[Keyed], now: datetime) -> list[Result]:
    """Accept many payments in one commit; each item has its own result, in the order given.

    A key that stands twice among the items counts once: the later item is a replay or a refusal.

    Raises:
        KeyInFlight: another request holds one of the keys; nothing was accepted and all may be sent again.
    """
    options = _options(items, now)
    offers = [_offer(item, options[item.command.method], now) for item in items]
    firsts = _first_per_key(offers)
    with idempotency.refusing_twins():
        failpoints.reach(Point.INTAKE_BEFORE_COMMIT)
        won = intake_sql.accept(intake=_intake(requester, now), rows=[_row(offer) for offer in firsts.values()])
    failpoints.reach(Point.INTAKE_COMMITTED)
    owners = (
        intake_sql.owners(
            client_id=requester.client_id,
            keys=[offer.keyed.key for offer in offers if isinstance(offer, _Offer) and offer.key_id not in won],
        )
        if _any_lost(offers, won)
        else {}
    )
    results = [_result(offer, won, owners) for offer in offers]
    _note_later_uses(offers, results, owners, requester, now)
    return results


def _options(items: Sequence[Keyed], now: datetime) -> dict[Method, Options]:
    """Return what there is to choose among, by method; breakers are asked only where there is a choice."""
    table, providers = routes.current(), registry.capabilities()
    return {
        method: Options(
            table=table,
            providers=providers,
            held_back=queries.held_back(method=method, now=now) if len(providers) > 1 else {},
        )
        for method in {item.command.method for item in items}
    }


def _offer(item: Keyed, options: Options, now: datetime) -> _Offer | ApplicationError:
    command = item.command
    payment_id = ids.new(now)
    try:
        route = routing.choose(
            wanted=command.provider,
            wish=Wish(method=command.method, amount=command.amount, hold=command.capture == CaptureMode.MANUAL),
            payment_id=payment_id,
            options=options,
        )
    except routing.NoRoute as error:
        return error
    payment = AcceptedPayment(
        id=payment_id,
        requested=command.amount.minor,
        currency=command.amount.currency,
        method=command.method.value,
        provider=route.provider,
        reference=command.reference,
        customer_reference=command.customer_reference,
        capture_mode=command.capture.value,
        metadata=command.metadata,
        created_at=now,
    )
    return _Offer(
        keyed=item,
        fingerprint=fingerprints.of(command.business_fields()),
        payment=payment,
        key_id=ids.new(now),
        provider_key_length=options.providers[route.provider].key_length,
        route={"table": options.table.version, "reason": route.reason},
    )


def _first_per_key(offers: Sequence[_Offer | ApplicationError]) -> dict[str, _Offer]:
    firsts: dict[str, _Offer] = {}
    for offer in offers:
        if isinstance(offer, _Offer):
            firsts.setdefault(offer.keyed.key, offer)
    return firsts


def _any_lost(offers: Sequence[_Offer | ApplicationError], won: set[UUID]) -> bool:
    return any(isinstance(offer, _Offer) and offer.key_id not in won for offer in offers)


def _intake(requester: Requester, now: datetime) -> Intake:
    return Intake(
        client_id=requester.client_id,
        actor=requester.actor,
        api_key_prefix=requester.api_key_prefix,
        fingerprint_version=fingerprints.VERSION,
        contract_version=idempotency.CONTRACT_VERSION,
        policy_version=retry.policy(settings.RETRY_POLICY).version,
        now=now,
        expires_at=now + timedelta(hours=settings.PAYMENT_TIME_TO_SEND_HOURS),
        trace_id=tracing.current_trace_id(),
        traceparent=tracing.current_traceparent(),
        publish=bool(settings.KAFKA_BOOTSTRAP_SERVERS),
    )


def _row(offer: _Offer) -> dict[str, Any]:
    payment, command = offer.payment, offer.keyed.command
    attempt_id = ids.new(payment.created_at)
    return {
        "key_id": str(offer.key_id),
        "payment_id": str(payment.id),
        "attempt_id": str(attempt_id),
        "transition_id": str(ids.new(payment.created_at)),
        "event_id": str(ids.new(payment.created_at)),
        "key": offer.keyed.key,
        "fingerprint": offer.fingerprint.digest.hex(),
        "request_digest": offer.keyed.request_digest.hex(),
        "field_digests": offer.fingerprint.fields,
        "amount": payment.requested,
        "currency": payment.currency,
        "method": payment.method,
        "payment_token": command.payment_token,
        "reference": payment.reference,
        "customer_reference": payment.customer_reference,
        "capture_mode": payment.capture_mode,
        "metadata": payment.metadata,
        "provider": payment.provider,
        "provider_key": contract.provider_key(attempt_id, limit=offer.provider_key_length),
        "rollout_decision": {},
        "route": offer.route,
        "event_data": event_data.created(
            public_id=ids.public(ids.Prefix.PAYMENT, payment.id),
            amount=payment.requested,
            currency=payment.currency,
            reference=payment.reference,
            provider=payment.provider,
            method=payment.method,
        ),
    }


def _result(offer: _Offer | ApplicationError, won: set[UUID], owners: dict[str, Owner]) -> Result:
    if isinstance(offer, ApplicationError):
        return offer
    if offer.key_id in won:
        return Accepted(resource_id=offer.payment.id, body=offer.payment.body(), replayed=False)
    owner = owners.get(offer.keyed.key)
    if owner is None:
        # The row that won is gone again: its transaction ended between the two statements. The caller may retry.
        return keys.in_flight()
    if owner.fingerprint != offer.fingerprint.digest:
        return keys.reused(
            fields=offer.fingerprint.differing_fields(owner.field_digests),
            resource=ids.public(ids.Prefix.PAYMENT, owner.payment_id),
        )
    return _replayed(owner)


def _replayed(owner: Owner) -> Accepted:
    payment = AcceptedPayment(
        id=owner.payment_id,
        requested=owner.requested,
        currency=owner.currency,
        method=owner.method,
        provider=owner.provider,
        reference=owner.reference,
        customer_reference=owner.customer_reference,
        capture_mode=owner.capture_mode,
        metadata=owner.metadata,
        created_at=owner.created_at,
    )
    return Accepted(resource_id=owner.payment_id, body=payment.body(), replayed=True)


def _note_later_uses(
    offers: Sequence[_Offer | ApplicationError],
    results: Sequence[Result],
    owners: dict[str, Owner],
    requester: Requester,
    now: datetime,
) -> None:
    notes = []
    for offer, result in zip(offers, results, strict=True):
        if not isinstance(offer, _Offer) or offer.keyed.key not in owners:
            continue
        if isinstance(result, keys.KeyReused):
            outcome = UseOutcome.REFUSED
        elif isinstance(result, Accepted) and result.replayed:
            outcome = UseOutcome.REPLAYED
        else:
            continue
        key_id = owners[offer.keyed.key].key_id
        notes.append({"id": str(ids.new(now)), "key_id": str(key_id), "outcome": outcome.value})
    if notes:
        intake_sql.note_uses(
            rows=notes, api_key_prefix=requester.api_key_prefix, now=now, trace_id=tracing.current_trace_id()
        )
