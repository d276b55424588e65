"""Journals that services propose, exactly once per key; a person approves them like any other.

Key and proposal commit in one transaction. A refusal leaves no key behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from ledger import journals
from ledger.journals import Journal
from ledger.operations.journals import propose_journal
from paymentops.access.actors import Actor
from paymentops.casework.models import Proposal
from paymentops.core import ids
from paymentops.idempotency import fingerprint as fingerprints
from paymentops.idempotency import keys
from paymentops.idempotency import operations as idempotency
from paymentops.idempotency.models import IdempotencyKey, Operation
from paymentops.idempotency.operations import Use

RESOURCE_TYPE: Final = "proposal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """The API client that proposes, which of its API keys it used, and the HTTP request it came with."""

    client_id: UUID
    api_key_prefix: str
    request_id: str = ""

    @property
    def actor(self) -> Actor:
        """The client, as proposals and audit rows name it."""
        return Actor.client(ids.public(ids.Prefix.CLIENT, self.client_id), request_id=self.request_id)


@dataclass(frozen=True, slots=True)
class Requested:
    """What came of a request: the proposal, and whether an earlier request with this key made it."""

    proposal: Proposal
    replayed: bool


def request_journal(journal: Journal, *, reason: str, requester: Requester, key: str, now: datetime) -> Requested:
    """Propose a journal for a service, or answer a retry with what the first request proposed.

    Raises:
        KeyReused: the key belongs to another journal.
        KeyInFlight: the first request with this key is still being executed.
        UnbalancedPosting, UnknownAccount, JournalNotUsable, AccountClosed, EntryNotFound, EntryNotInState,
        InvalidInput: see ``propose_journal``; the key stays free.
    """
    use = Use(
        client_id=requester.client_id,
        api_key_prefix=requester.api_key_prefix,
        operation=Operation.PROPOSE_JOURNAL,
        key=key,
        fingerprint=fingerprints.of(business_fields(journal, reason=reason)),
    )
    owner = idempotency.find(use=use)
    if owner is not None:
        return _again(owner, use=use, now=now)
    with idempotency.refusing_twins(), transaction.atomic():
        proposal = propose_journal(journal, reason=reason, by=requester.actor, now=now)
        if idempotency.claim(use=use, resource_type=RESOURCE_TYPE, resource_id=proposal.pk, now=now) is not None:
            return Requested(proposal, replayed=False)
        # A twin was first while this one proposed: nothing of it stays.
        transaction.set_rollback(True)
    owner = idempotency.find(use=use)
    if owner is None:
        raise keys.in_flight()
    return _again(owner, use=use, now=now)


def business_fields(journal: Journal, *, reason: str) -> Mapping[str, Any]:
    """Return what makes two requests the same: the journal itself, however its lines were named, and its reason."""
    occurred_at = journal.occurred_at.astimezone(UTC).isoformat()
    return {**journals.as_payload(journal), "occurred_at": occurred_at, "reason": reason.strip()}


def _again(owner: IdempotencyKey, *, use: Use, now: datetime) -> Requested:
    if bytes(owner.fingerprint) != use.fingerprint.digest:
        idempotency.note_refusal(key_id=owner.pk, api_key_prefix=use.api_key_prefix, now=now)
        raise keys.reused(
            fields=use.fingerprint.differing_fields(owner.field_digests),
            resource=ids.public(ids.Prefix.PROPOSAL, owner.resource_id),
        )
    idempotency.note_replay(key_id=owner.pk, api_key_prefix=use.api_key_prefix, now=now)
    return Requested(Proposal.objects.get(pk=owner.resource_id), replayed=True)
