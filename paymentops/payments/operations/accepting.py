"""Accepting payments exactly once: claim the key and write all that a payment is, in one statement and one commit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from paymentops.access.models import DuplicatePolicy
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
from paymentops.payments.likeness import UNWATCHED, Watch
from paymentops.payments.models import Payment
from paymentops.payments.operations import duplicates
from paymentops.payments.operations.duplicates import Refused
from paymentops.payments.queries import breakers as queries
from paymentops.payments.routing import Options, Wish
from paymentops.payments.states import CaptureMode
from paymentops.providers import contract, registry
from paymentops.providers.contract import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """The API client a request came from, which of its keys authenticated it, and its likely duplicates."""

    client_id: UUID
    api_key_prefix: str
    watch: Watch = UNWATCHED

    @property
    def actor(self) -> str:
        """The client's public id, as transitions name it."""
        return ids.public(ids.Prefix.CLIENT, self.client_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted request: the body to answer with, and whether it is the repetition of an earlier answer.

    ``possible_duplicate`` is the public id of an earlier payment that it looks like, for clients that are warned.
    """

    resource_id: UUID
    body: bytes
    replayed: bool
    status: int = 201
    possible_duplicate: str = ""


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


@dataclass(frozen=True, slots=True)
class _Lot:
    """What was offered, what became of each, and who owned the keys that were taken before."""

    offers: Sequence[_Offer | ApplicationError]
    results: list[Result]
    owners: dict[str, Owner]


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
        PossibleDuplicate: it looks like an earlier payment of a client that has such refused; the key stays free.
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
    if requester.watch.policy == DuplicatePolicy.REFUSE:
        lot = _accept_unlike(offers, requester, now)
    else:
        lot = _accept(offers, requester, now)
    failpoints.reach(Point.INTAKE_COMMITTED)
    _note_later_uses(lot.offers, lot.results, lot.owners, requester, now)
    _remember_distinct(lot, requester, now)
    if requester.watch.policy == DuplicatePolicy.FLAG:
        return _flagged(lot, requester, now)
    return lot.results


def _accept(offers: Sequence[_Offer | ApplicationError], requester: Requester, now: datetime) -> _Lot:
    firsts = _first_per_key(offers)
    with idempotency.refusing_twins():
        failpoints.reach(Point.INTAKE_BEFORE_COMMIT)
        won = intake_sql.accept(intake=_intake(requester, now), rows=[_row(offer) for offer in firsts.values()])
    owners = (
        intake_sql.owners(
            client_id=requester.client_id,
            keys=[offer.keyed.key for offer in offers if isinstance(offer, _Offer) and offer.key_id not in won],
        )
        if _any_lost(offers, won)
        else {}
    )
    return _Lot(offers, [_result(offer, won, owners) for offer in offers], owners)


def _accept_unlike(offers: Sequence[_Offer | ApplicationError], requester: Requester, now: datetime) -> _Lot:
    """Accept what does not look like an earlier payment, while no like payment is accepted beside it.

    What was refused or named as another one is remembered afterwards: if the process dies in between, only the note is
    lost.
    """
    real = [offer for offer in offers if isinstance(offer, _Offer)]
    with idempotency.refusing_twins(), transaction.atomic():
        found = duplicates.alike_before(
            client_id=requester.client_id,
            watch=requester.watch,
            offers=[(offer.keyed.key, offer.keyed.command, offer.payment.id) for offer in real],
            now=now,
        )
        alike = {real[number].key_id: earlier for number, earlier in found.items()}
        lot = _accept([_unless_alike(offer, alike) for offer in offers], requester, now)
    for offer in real:
        if offer.key_id in alike:
            refused = Refused(earlier=alike[offer.key_id], key=offer.keyed.key, shown=_shown(offer.keyed.command))
            duplicates.remember_refused(refused, now=now)
    return lot


def _unless_alike(offer: _Offer | ApplicationError, alike: dict[UUID, UUID]) -> _Offer | ApplicationError:
    if isinstance(offer, _Offer) and offer.key_id in alike:
        return duplicates.refusal(alike[offer.key_id])
    return offer


def _remember_distinct(lot: _Lot, requester: Requester, now: datetime) -> None:
    """Keep which of the accepted payments their caller wanted besides an earlier one."""
    for offer, result in zip(lot.offers, lot.results, strict=True):
        if not isinstance(offer, _Offer) or not isinstance(result, Accepted) or result.replayed:
            continue
        named, amount = offer.keyed.command.distinct_from, offer.keyed.command.amount
        like = Payment.objects.of_client(requester.client_id).filter(requested=amount.minor, currency=amount.currency)
        if named is not None and like.filter(pk=named).exists():
            duplicates.remember_alike(later=offer.payment.id, earlier=named, is_distinct=True, now=now)


def _shown(command: CreatePayment) -> dict[str, Any]:
    """Return what people may compare of a refused request: all but the payer's instrument."""
    return {name: value for name, value in command.business_fields().items() if name != "payment_token"}


def _flagged(lot: _Lot, requester: Requester, now: datetime) -> list[Result]:
    """Name beside each new payment the other one it looks like."""
    accepted = [
        (offer.keyed.command, result.resource_id)
        for offer, result in zip(lot.offers, lot.results, strict=True)
        if isinstance(offer, _Offer) and isinstance(result, Accepted) and not result.replayed
    ]
    if not accepted:
        return lot.results
    found = duplicates.alike_after(client_id=requester.client_id, watch=requester.watch, accepted=accepted, now=now)
    return [
        replace(result, possible_duplicate=ids.public(ids.Prefix.PAYMENT, found[result.resource_id]))
        if isinstance(result, Accepted) and not result.replayed and result.resource_id in found
        else result
        for result in lot.results
    ]


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
        fields = result.extra["fields"] if isinstance(result, keys.KeyReused) else []
        notes.append({"id": str(ids.new(now)), "key_id": str(key_id), "outcome": outcome.value, "fields": fields})
    if notes:
        intake_sql.note_uses(
            rows=notes, api_key_prefix=requester.api_key_prefix, now=now, trace_id=tracing.current_trace_id()
        )
