"""What finance did with the books of the demo: a closed month, a journal that two people posted, one that waits."""

from datetime import datetime, timedelta
from typing import Final

from django.core.files.base import ContentFile

from ledger import journals
from ledger import operations as ledger
from ledger.journals import Journal
from ledger.operations import periods
from ledger.periods import Month
from ledger.postings import PostingLine
from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal, ProposalState
from paymentops.core.money import Money
from paymentops.providers.adapters.sandbox import adapter as sandbox

_MAKER: Final = "finance-1"
_CHECKER: Final = "approver-1"
# Before the end of the story, so that everything has happened when somebody looks.
_BEGIN: Final = timedelta(hours=3)
_STEP: Final = timedelta(minutes=10)


def keep(*, client: str, until: datetime) -> None:
    """Let finance keep the books up to the end of the story; what is there already is not done again.

    The shop paid in money for refunds and the bank took its charge, both in the month before, which is closed then. A
    fee of this month waits for approval.

    Args:
        client: the public id of the service.
        until: the end of the story.
    """
    maker, checker = _person(_MAKER), _person(_CHECKER)
    at = until - _BEGIN
    month = Month.of(Month.of(at).starts_at - timedelta(days=1))
    in_month = month.ends_at - timedelta(days=1)
    for number, journal in enumerate((_paid_in(client, in_month), _charge(in_month))):
        proposal = _proposed(journal, maker=maker, at=at + number * _STEP)
        if proposal.state == ProposalState.PROPOSED:
            _approve(proposal, by=checker, at=at + number * _STEP + _STEP / 2)
    periods.close(month, by=checker, reason="All statements are in.", now=at + 3 * _STEP)
    _proposed(_forgotten_fee(at), maker=maker, at=at + 4 * _STEP)


def _paid_in(client: str, at: datetime) -> Journal:
    lines = (
        journals.line(code="1010:main", currency="EUR", amount=500_000),
        journals.line(code=f"2010:{client}", currency="EUR", amount=-500_000),
    )
    return Journal("free", lines, "Paid in by the shop for refunds", at)


def _charge(at: datetime) -> Journal:
    return Journal("bank_charge", _filled("bank_charge", 2_500, "bank account", "main"), "Charges of the bank", at)


def _forgotten_fee(at: datetime) -> Journal:
    return Journal(
        "fee_added", _filled("fee_added", 4_820, "provider account", sandbox.NAME), "Monthly fee of the provider", at
    )


def _filled(template: str, minor: int, word: str, part: str) -> tuple[PostingLine, ...]:
    return journals.fill(template, amount=Money(minor, "EUR"), parts={word: part})


def _proposed(journal: Journal, *, maker: Actor, at: datetime) -> Proposal:
    """Return the proposal of a journal, made with a file if it is not there yet."""
    made = Proposal.objects.filter(proposed_by=maker.user, payload__description=journal.description).first()
    if made is not None:
        return made
    evidence = ContentFile(f"{journal.description}, {journal.lines[0].account}\n".encode())
    file = casework.upload(evidence, name="statement.txt", by=maker, now=at)
    reason = "The statement shows it, and it is not in the books."
    return ledger.propose_journal(journal, reason=reason, attachment_ids=[file.pk], by=maker, now=at)


def _approve(proposal: Proposal, *, by: Actor, at: datetime) -> None:
    note = "Agrees with the statement."
    decision = ledger.approve_journal(proposal_id=proposal.pk, version=proposal.version, by=by, note=note, now=at)
    decision.carried_out()


def _person(name: str) -> Actor:
    return Actor.person(User.objects.get(username=name))
