"""Manual journals and reversals: one proposes, another approves, the books hold it once."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import transaction

from ledger import journals, postings, queries, verification
from ledger import operations as ledger
from ledger.journals import Journal, JournalNotUsable
from ledger.models import Account, Entry, EntryTransition, State
from ledger.postings import PostingLine, Source
from ledger.queries import journals as journal_queries
from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import operations as casework
from paymentops.casework import queries as casework_queries
from paymentops.casework.models import Proposal
from tests.ledger.books import PARTIES, as_if_committed, day, eur, post, posted, without_triggers
from tests.ledger.people import evidence, person
from tests.ledger.test_faults import at_once

pytestmark = pytest.mark.django_db

CHARGE = Journal(
    "bank_charge",
    journals.fill("bank_charge", amount=eur(1_250), parts={"bank account": "main"}),
    "Charges of January",
    day(1),
)


@pytest.fixture
def maker(db) -> Actor:
    return person("maker", "Finance")


@pytest.fixture
def checker(db) -> Actor:
    return person("checker")


def proposed(by: Actor, journal: Journal = CHARGE, **changed) -> Proposal:
    return ledger.propose_journal(journal, **{"reason": "The bank says so.", "by": by, "now": day(2), **changed})


def approved(proposal: Proposal, by: Actor, approve: Callable[..., casework.Decision] = ledger.approve_journal):
    return approve(proposal_id=proposal.pk, version=proposal.version, by=by, now=day(3))


def violations() -> dict[str, list[str]]:
    return {check.name: check.violations for check in verification.checks() if not check.ok}


def test_a_journal_is_in_the_books_when_a_second_person_agrees(maker, checker) -> None:
    proposal = proposed(maker)
    assert posted() == {}
    entry = approved(proposal, checker).carried_out()
    assert posted() == {"1010:main": -1_250, "5010": 1_250}
    assert (entry.source_type, entry.source_id, entry.description) == ("journal", proposal.pk, "Charges of January")
    assert (entry.occurred_at, entry.recorded_at) == (day(1), day(3))
    move = EntryTransition.objects.get()
    assert (move.actor, move.cause) == ("checker", f"proposal:{proposal}")
    proposal.refresh_from_db()
    assert (proposal.state, proposal.outcome) == ("CARRIED_OUT", str(entry))
    assert violations() == {}


def test_nobody_posts_their_own_journal_not_even_a_superuser() -> None:
    alone = person("alone", superuser=True)
    proposal = proposed(alone)
    with pytest.raises(casework.OwnProposal):
        approved(proposal, alone)
    assert not Entry.objects.exists()


def test_rights_are_asked_at_the_moment_of_the_deed(maker, checker) -> None:
    proposal = proposed(maker)
    with pytest.raises(casework.NotAllowed, match="approve_journal"):
        approved(proposal, person("colleague", "Finance"))
    with pytest.raises(casework.NotAllowed, match="propose_journal"):
        proposed(person("engineer", "Engineer"))
    User.objects.get(pk=checker.user.pk).groups.clear()
    with pytest.raises(casework.NotAllowed):
        approved(proposal, checker)


def test_what_needs_proof_is_proposed_with_a_file(maker, checker) -> None:
    write_off = replace(CHARGE, template="write_off", lines=journals.fill("write_off", amount=eur(99), parts={}))
    with pytest.raises(JournalNotUsable, match="file"):
        proposed(maker, write_off)
    files = evidence(maker)
    proposal = proposed(maker, write_off, attachment_ids=files)
    (file,) = casework_queries.attachments(proposal.subject)
    assert proposal.payload["attachments"] == [{"id": str(file), "name": "evidence.txt", "sha256": file.sha256}]
    with pytest.raises(casework.AttachmentNotUsable):
        proposed(maker, write_off, attachment_ids=files)
    approved(proposal, checker).carried_out()
    assert posted() == {"1290": -99, "5040": 99}


def test_a_journal_page_has_everything(maker, checker) -> None:
    proposal = proposed(maker)
    view = journal_queries.journal(str(proposal))
    assert (view.journal, view.entry, view.attachments) == (CHARGE, None, ())
    entry = approved(proposal, checker).carried_out()
    assert journal_queries.journal(str(proposal)).entry == entry
    assert journal_queries.journal(f"prp_{uuid4().hex}") is None
    assert [found.pk for found in journal_queries.journal_proposals()] == [proposal.pk]


def test_a_journal_waits_for_everybody_but_its_maker() -> None:
    first, second = person("first"), person("second")
    proposal = proposed(first)
    assert list(casework_queries.waiting_for(second.user)) == [proposal]
    assert list(casework_queries.waiting_for(first.user)) == []
    assert list(casework_queries.waiting_for(person("viewer", "Viewer").user)) == []


def test_an_account_closed_meanwhile_makes_it_stale(maker, checker) -> None:
    open_and_empty("1010:main")
    proposal = proposed(maker)
    close("1010:main", checker)
    with pytest.raises(casework.StaleFacts, match="1010:main EUR was open and is closed"):
        approved(proposal, checker).carried_out()
    with pytest.raises(ledger.AccountClosed, match="1010:main"):
        proposed(maker)
    assert Entry.objects.filter(source_type="journal").count() == 0


def test_an_account_opened_meanwhile_does_not(maker, checker) -> None:
    proposal = proposed(maker)
    open_and_empty("1010:main")
    assert approved(proposal, checker).carried_out().state == "POSTED"


def test_the_books_may_refuse_what_was_agreed(maker, checker) -> None:
    lines = journals.fill("reserve_released", amount=eur(5), parts={"provider account": "sandbox"})
    proposal = proposed(maker, replace(CHARGE, template="reserve_released", lines=lines))
    decision = approved(proposal, checker)
    with pytest.raises(ledger.AccountOnWrongSide):
        decision.carried_out()
    proposal.refresh_from_db()
    assert proposal.state == "REFUSED"
    assert (Entry.objects.count(), violations()) == (0, {})


def test_a_correction_names_a_posted_entry_and_goes_stale_with_it(maker, checker) -> None:
    sale = post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    lines = (
        journals.line(code="2010:cli_shop", currency="EUR", amount=100),
        journals.line(code="2010:cli_other", currency="EUR", amount=-100),
    )
    correction = replace(CHARGE, template="correction", lines=lines, corrects=sale.pk)
    proposal, again = proposed(maker, correction), proposed(maker, correction)
    approved(proposal, checker).carried_out()
    assert posted() == {"1110:sandbox": 100, "2010:cli_other": -100}
    ledger.reverse(sale.pk, cause="taken back", occurred_at=day(3), now=day(3))
    with pytest.raises(casework.StaleFacts, match="state was POSTED and is REVERSED"):
        approved(again, checker).carried_out()
    with pytest.raises(ledger.EntryNotInState):
        proposed(maker, correction)
    with pytest.raises(ledger.EntryNotFound):
        proposed(maker, replace(correction, corrects=uuid4()))


def reversal_of(entry: Entry, by: Actor) -> Proposal:
    return ledger.propose_reversal(entry.pk, occurred_at=day(2), reason="Booked twice.", by=by, now=day(2))


def test_an_entry_is_taken_back_by_two_people_once(maker, checker) -> None:
    entry = approved(proposed(maker), checker).carried_out()
    proposal = ledger.propose_reversal(entry.pk, occurred_at=day(3), reason="Booked twice.", by=maker, now=day(3))
    with pytest.raises(casework.AlreadyProposed):
        ledger.propose_reversal(entry.pk, occurred_at=day(3), reason="Booked twice.", by=checker, now=day(3))
    back = approved(proposal, checker, ledger.approve_reversal).carried_out()
    assert (back.reverses_id, posted(), violations()) == (entry.pk, {}, {})
    with pytest.raises(ledger.EntryNotInState):
        ledger.propose_reversal(entry.pk, occurred_at=day(3), reason="Again.", by=maker, now=day(3))


def test_an_entry_reversed_meanwhile_makes_its_reversal_stale(maker, checker) -> None:
    fee = post(postings.dispute_fee(source=Source("batch", uuid4(), "fee"), provider_account="sandbox", amount=eur(9)))
    proposal = reversal_of(fee, maker)
    ledger.reverse(fee.pk, cause="returned", occurred_at=day(2), now=day(2))
    with pytest.raises(casework.StaleFacts, match="REVERSED"):
        approved(proposal, checker, ledger.approve_reversal).carried_out()
    assert Entry.objects.count() == 2


def test_what_follows_a_payment_is_not_taken_back_behind_its_back(maker) -> None:
    sale = post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    with pytest.raises(ledger.NotReversedByHand, match="correction"):
        reversal_of(sale, maker)


def test_the_future_cannot_be_reversed(maker) -> None:
    with pytest.raises(JournalNotUsable, match="future"):
        ledger.propose_reversal(uuid4(), occurred_at=day(9), reason="x", by=maker, now=day(2))


def test_a_proposal_is_approved_as_what_it_is(maker, checker) -> None:
    with pytest.raises(casework.ProposalNotFound):
        approved(proposed(maker), checker, ledger.approve_reversal)


def test_verification_names_what_was_posted_past_the_second_person(maker, checker) -> None:
    alone = post(postings.Posting(Source("journal", uuid4(), "posted"), State.POSTED, CHARGE.lines, "Mine"))
    assert violations() == {"ledger.journals_have_two_people": [f"{alone}: is a journal that nobody proposed"]}


def test_verification_names_forged_approvals_and_changed_lines(maker, checker) -> None:
    forged, changed = proposed(maker), proposed(maker)
    forged_entry, changed_entry = (approved(proposal, checker).carried_out() for proposal in (forged, changed))
    as_if_committed()
    without_triggers("ALTER TABLE casework_proposal DROP CONSTRAINT proposal_decided_by_another")
    without_triggers("UPDATE casework_proposal SET decided_by_id = proposed_by_id WHERE id = %s", forged.pk)
    without_triggers(
        "UPDATE casework_proposal SET payload = jsonb_set(payload, '{lines,0,amount}', '\"1\"') WHERE id = %s",
        changed.pk,
    )
    assert sorted(violations()["ledger.journals_have_two_people"]) == sorted(
        [
            f"{forged_entry}: no second person approved it",
            f"{changed_entry}: its lines are not those of {changed}",
        ]
    )


def test_verification_names_what_was_reversed_past_the_second_person(maker, checker) -> None:
    alone, forged = (approved(proposed(maker), checker).carried_out() for _ in range(2))
    ledger.reverse(alone.pk, cause="mine", occurred_at=day(3), now=day(3), actor="maker")
    proposal = ledger.propose_reversal(forged.pk, occurred_at=day(3), reason="Booked twice.", by=maker, now=day(3))
    approved(proposal, checker, ledger.approve_reversal)
    assert violations() == {
        "ledger.reversals_have_two_people": [f"{alone}: was reversed for mine, which nobody proposed"]
    }
    as_if_committed()
    without_triggers("ALTER TABLE casework_proposal DROP CONSTRAINT proposal_decided_by_another")
    without_triggers("UPDATE casework_proposal SET decided_by_id = proposed_by_id WHERE id = %s", proposal.pk)
    assert sorted(violations()["ledger.reversals_have_two_people"]) == sorted(
        [
            f"{alone}: was reversed for mine, which nobody proposed",
            f"{forged}: was reversed by hand and {proposal} is not a carried-out proposal of two people for it",
        ]
    )


def test_verification_names_a_closed_account_that_holds_something() -> None:
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    without_triggers("UPDATE ledger_account SET closed_at = now() WHERE code = '1110:sandbox'")
    assert violations() == {"ledger.closed_accounts_empty": ["1110:sandbox EUR: is closed and holds 100"]}


@pytest.mark.django_db(transaction=True)
def test_two_who_approve_at_once_post_once() -> None:
    proposal = proposed(person("maker", "Finance"))
    checkers = [person(f"checker-{number}") for number in range(3)]
    made = at_once(*[lambda by=by: approved(proposal, by).carried_out() for by in checkers])
    assert sorted(type(outcome).__name__ for outcome in made) == ["Entry", "ProposalChanged", "ProposalChanged"]
    assert Entry.objects.count() == 1
    assert violations() == {}


# --- Closing accounts -------------------------------------------------------------------------------------------


def open_and_empty(code: str) -> None:
    """Use an account and bring it back to zero."""
    lines = (journals.line(code=code, currency="EUR", amount=7), journals.line(code="1290", currency="EUR", amount=-7))
    there = post(postings.Posting(Source("test", uuid4(), "use"), State.POSTED, lines))
    ledger.reverse(there.pk, cause="back", occurred_at=day(0), now=day(0))


def close(code: str, by: Actor, **changed):
    return ledger.close_account(
        **{"code": code, "currency": "EUR", "reason": "No longer used.", "by": by, "now": day(2), **changed}
    )


def test_a_closed_account_takes_no_postings_until_it_is_opened_again(checker) -> None:
    open_and_empty("1010:old")
    assert close("1010:old", checker).closed_at == day(2)
    assert close("1010:old", checker, now=day(3)).closed_at == day(2)
    with pytest.raises(ledger.AccountClosed, match="1010:old EUR is closed"), transaction.atomic():
        open_and_empty("1010:old")
    ledger.reopen_account(code="1010:old", currency="EUR", reason="Used again.", by=checker, now=day(4))
    open_and_empty("1010:old")
    assert queries.balances(codes=["1010:old"])[0].posted == 0


def test_only_an_empty_account_is_closed(checker) -> None:
    hold = post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(100)))
    with pytest.raises(ledger.AccountNotEmpty, match="pending"):
        close("2010:cli_shop", checker)
    ledger.settle(hold.pk, cause="captured", occurred_at=day(1), now=day(1))
    with pytest.raises(ledger.AccountNotEmpty, match="-100 posted"):
        close("2010:cli_shop", checker)


def test_pending_entries_that_add_up_to_zero_keep_an_account_open(checker) -> None:
    for amount in (100, -100):
        lines = (
            PostingLine(journals.line(code="1290", currency="EUR", amount=1).account, amount),
            PostingLine(journals.line(code="1190", currency="EUR", amount=1).account, -amount),
        )
        post(postings.Posting(Source("test", uuid4(), "use"), State.PENDING, lines))
    with pytest.raises(ledger.AccountNotEmpty, match="pending"):
        close("1290", checker)


def test_closing_takes_a_right_a_reason_and_an_account(maker, checker) -> None:
    open_and_empty("1010:old")
    with pytest.raises(casework.NotAllowed, match="close_account"):
        close("1010:old", maker)
    with pytest.raises(ledger.AccountNotFound):
        close("1010:none", checker)
    with pytest.raises(Exception, match="Say why"):
        close("1010:old", checker, reason=" ")
    assert Account.objects.get(code="1010:old").closed_at is None


@pytest.mark.django_db(transaction=True)
def test_an_account_is_never_closed_under_a_posting() -> None:
    open_and_empty("1010:old")
    checker = person("checker")
    lines = (
        journals.line(code="1010:old", currency="EUR", amount=7),
        journals.line(code="1290", currency="EUR", amount=-7),
    )

    def use() -> Entry:
        return post(postings.Posting(Source("test", uuid4(), "race"), State.POSTED, lines))

    outcomes = at_once(use, lambda: close("1010:old", checker), use)
    closed = Account.objects.get(code="1010:old").closed_at is not None
    assert closed == any(isinstance(outcome, Account) for outcome in outcomes)
    assert closed == (Entry.objects.filter(source_kind="race").count() == 0)
    assert violations() == {}
