"""Disputes: any order of what a provider tells leads to the same state and books, and nothing of it is refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.models import Line
from paymentops.casework import queries as casework
from paymentops.core.money import Money
from paymentops.events.models import OutboxEvent
from paymentops.payments import disputes, timeline
from paymentops.payments.models import Dispute, DisputeNotice, Payment
from paymentops.payments.operations import disputing, requesting
from paymentops.payments.operations.disputing import Charge, Recorded, Told
from paymentops.payments.states import DisputeState
from paymentops.payments.verification import disputes as verification
from paymentops.providers.disputes import DisputeNews, DisputeStage, DisputeStatus, EvidenceStatus
from tests.payments.hands import Hands, by_force, eur, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]

S = DisputeStatus


@dataclass
class Bank:
    """The payer's bank: what it decides reaches us as the provider's news, at any time and in any order."""

    hands: Hands
    charge: str = "ch_1"
    dispute: str = "dp_1"

    def tell(
        self,
        status: DisputeStatus | None,
        *,
        hours: float = 0,
        amount: Money | None = None,
        event: str = "",
        **more: Any,
    ) -> Recorded:
        """Tell of a status reached some hours after the present moment."""
        news = DisputeNews(dispute=self.dispute, status=status, amount=amount or eur(10000), **more)
        told = Told(
            provider="sandbox",
            event_id=event or f"evt_{status}_{hours}",
            kind=f"dispute.{status}".lower(),
            occurred_at=self.hands.now + timedelta(hours=hours),
            news=news,
            charge=Charge(provider_reference=self.charge),
        )
        return disputing.record(told=told, now=self.hands.now + timedelta(days=2))

    @property
    def case(self) -> Dispute:
        return Dispute.objects.get(provider_reference=self.dispute)


@pytest.fixture
def bank(hands: Hands) -> Bank:
    return Bank(hands)


def books(prefix: str) -> int:
    return sum(Line.objects.filter(account__code__startswith=prefix).values_list("amount", flat=True))


def held_lost_fee() -> tuple[int, int, int]:
    return books("1210"), books("5030"), books("5020")


def told(dispute: Dispute) -> list[str]:
    events = OutboxEvent.objects.filter(aggregate_id=dispute.pk).order_by("sequence")
    return [name.removeprefix("dispute.") for name in events.values_list("type", flat=True)]


def test_an_open_dispute_withholds_its_amount_and_nothing_of_it_can_be_refunded(hands: Hands, bank: Bank) -> None:
    payment = hands.sale()
    assert bank.tell(S.OPEN, amount=eur(4000), fee=eur(1500)).applied
    assert held_lost_fee() == (4000, 0, 1500)
    assert (fresh(payment).disputed, fresh(payment).refundable) == (4000, 6000)
    with pytest.raises(requesting.NotRefundable):
        hands.refund(payment, 6001)
    bank.tell(S.WON, hours=1, amount=eur(4000), fee=eur(0))
    assert held_lost_fee() == (0, 0, 0)
    assert (fresh(payment).disputed, fresh(payment).refundable) == (0, 10000)
    assert told(bank.case) == ["opened", "won"]


def test_an_inquiry_moves_no_money_until_it_becomes_a_chargeback(hands: Hands, bank: Bank) -> None:
    payment = hands.sale()
    bank.tell(S.INQUIRY)
    assert (held_lost_fee(), fresh(payment).refundable) == ((0, 0, 0), 10000)
    bank.tell(S.OPEN, hours=1)
    assert (held_lost_fee(), fresh(payment).refundable) == ((10000, 0, 0), 0)
    assert (bank.case.state, bank.case.stage) == ("OPEN", "CHARGEBACK")


@pytest.mark.parametrize("last", [S.INQUIRY_CLOSED, S.ACCEPTED])
def test_an_inquiry_that_ends_as_one_leaves_the_books_alone(hands: Hands, bank: Bank, last: DisputeStatus) -> None:
    hands.sale()
    bank.tell(S.INQUIRY)
    bank.tell(last, hours=1, stage=DisputeStage.INQUIRY)
    assert (bank.case.state, Line.objects.filter(account__code__startswith="1210").count()) == (last.value, 0)


def test_what_was_lost_cannot_be_refunded_once_more(hands: Hands, bank: Bank) -> None:
    payment = hands.sale()
    bank.tell(S.OPEN, amount=eur(4000))
    bank.tell(S.LOST, hours=1, amount=eur(4000))
    assert held_lost_fee() == (0, 4000, 0)
    found = fresh(payment)
    assert (found.disputed, found.charged_back, found.refundable) == (0, 4000, 6000)


def test_a_client_bears_what_is_lost_where_the_settings_say_so(hands: Hands, bank: Bank, settings: Any) -> None:
    payment = hands.sale()
    settings.CHARGEBACKS_BORNE_BY_CLIENTS = [payment.client.public_id]
    bank.tell(S.LOST)
    assert (held_lost_fee(), books("2010")) == ((0, 0, 0), 0)
    assert books("1110") == 0


def test_a_lost_dispute_goes_on_to_pre_arbitration_and_is_won_there(hands: Hands, bank: Bank) -> None:
    payment = hands.sale()
    bank.tell(S.OPEN)
    bank.tell(S.LOST, hours=1)
    bank.tell(S.PRE_ARBITRATION, hours=2)
    assert (held_lost_fee(), fresh(payment).disputed) == ((10000, 0, 0), 10000)
    bank.tell(S.WON, hours=3)
    assert (held_lost_fee(), fresh(payment).refundable) == ((0, 0, 0), 10000)


def test_a_second_chargeback_after_the_refund_is_posted_as_excess(hands: Hands, bank: Bank) -> None:
    payment = hands.sale()
    bank.tell(S.OPEN)
    bank.tell(S.WON_PROVISIONAL, hours=1)
    hands.refund(payment)
    hands.send(hands.done(10000))
    bank.tell(S.OPEN, hours=2, stage=DisputeStage.SECOND_CHARGEBACK)
    assert (bank.case.excess, bank.case.stage, fresh(payment).disputed) == (10000, "SECOND_CHARGEBACK", 10000)
    bank.tell(S.LOST, hours=3)
    assert (held_lost_fee(), fresh(payment).charged_back) == ((0, 10000, 0), 10000)
    assert told(bank.case).count("excess_recorded") == 1


def test_a_dispute_larger_than_the_charge_and_one_in_another_currency_are_recorded(hands: Hands, bank: Bank) -> None:
    payment = hands.sale()
    bank.tell(S.OPEN, amount=eur(10300))
    assert (bank.case.excess, fresh(payment).refundable, books("1210")) == (300, 0, 10300)
    bank.tell(S.WON, hours=1, amount=eur(10300))
    other = Bank(hands, dispute="dp_2")
    other.tell(S.OPEN, amount=Money(11800, "USD"))
    assert (other.case.counted, other.case.excess, fresh(payment).refundable) == (10000, 0, 0)
    other.tell(S.LOST, hours=1, amount=eur(9900))
    assert (other.case.lost, other.case.currency, books("1210"), books("5030")) == (9900, "EUR", 0, 9900)


def test_a_dispute_about_a_charge_we_do_not_know_is_posted_and_linked_once_it_is_known(hands: Hands) -> None:
    bank = Bank(hands, charge="ch_late")
    bank.tell(S.OPEN, fee=eur(1500))
    assert (bank.case.payment, held_lost_fee(), told(bank.case)) == (None, (10000, 0, 1500), ["opened", "unlinked"])
    assert disputing.link_unlinked(limit=10, now=hands.now) == 0
    payment = hands.pay()
    hands.send(hands.sold())
    by_force("UPDATE payments_attempt SET provider_reference = 'ch_late'")
    assert disputing.link_unlinked(limit=10, now=hands.now) == 1
    assert (bank.case.payment, fresh(payment).disputed, told(bank.case)[-1]) == (payment, 10000, "linked")


def test_a_word_that_nobody_knows_leaves_a_dispute_open(hands: Hands, bank: Bank) -> None:
    hands.sale()
    assert bank.tell(None, event="evt_1").applied
    assert bank.case.is_open
    bank.tell(S.OPEN, hours=1)
    assert not bank.tell(None, hours=2, event="evt_2").applied
    assert (bank.case.state, held_lost_fee()[0]) == ("OPEN", 10000)


def test_the_same_news_twice_count_once(hands: Hands, bank: Bank) -> None:
    hands.sale()
    bank.tell(S.OPEN, fee=eur(1500))
    version = bank.case.version
    assert not bank.tell(S.OPEN, fee=eur(1500)).applied
    assert (bank.case.version, held_lost_fee(), DisputeNotice.objects.count()) == (version, (10000, 0, 1500), 1)


def test_newer_news_that_no_move_leads_to_are_told_and_change_nothing(hands: Hands, bank: Bank) -> None:
    hands.sale()
    bank.tell(S.WON)
    assert not bank.tell(S.OPEN, hours=1).applied
    assert (bank.case.state, told(bank.case)[-1], held_lost_fee()[0]) == ("WON", "contradicted", 0)
    assert not bank.tell(S.UNDER_REVIEW, hours=-1).applied
    assert told(bank.case).count("contradicted") == 1


def test_evidence_belongs_to_its_deadline(hands: Hands, bank: Bank) -> None:
    hands.sale()
    first, second = hands.now + timedelta(days=7), hands.now + timedelta(days=30)
    bank.tell(S.OPEN, evidence_due_at=first)
    bank.tell(S.UNDER_REVIEW, hours=1, evidence_due_at=first)
    assert bank.case.evidence == "SUBMITTED"
    bank.tell(S.OPEN, hours=2, evidence_due_at=second)
    assert (bank.case.evidence, bank.case.evidence_due_at) == ("NONE", second)
    bank.tell(None, hours=3, event="evt_missed", evidence=EvidenceStatus.MISSED)
    assert bank.case.evidence == "MISSED"


def test_a_deadline_is_warned_of_once_and_told_as_missed_once(hands: Hands, bank: Bank) -> None:
    hands.sale()
    due = hands.now + timedelta(days=7)
    bank.tell(S.OPEN, evidence_due_at=due)

    def watched(days: float) -> list[str]:
        before = len(told(bank.case))
        for _ in range(2):
            disputing.watch(limit=10, now=hands.now + timedelta(days=days))
        return told(bank.case)[before:]

    assert watched(3) == []
    assert watched(5) == ["evidence_due"]
    assert watched(8) == ["evidence_missed"]
    assert (bank.case.evidence, bank.case.state) == ("MISSED", "OPEN")
    bank.tell(S.OPEN, hours=1, evidence_due_at=due)
    assert bank.case.evidence == "MISSED"
    bank.tell(S.OPEN, hours=2, evidence_due_at=due + timedelta(days=7))
    assert bank.case.evidence == "NONE"
    assert watched(13) == ["evidence_due"]
    bank.tell(S.UNDER_REVIEW, hours=3, evidence_due_at=due + timedelta(days=7))
    assert watched(15) == []
    assert bank.case.evidence == "SUBMITTED"


def test_a_new_dispute_belongs_to_finance(hands: Hands, bank: Bank) -> None:
    hands.sale()
    bank.tell(S.OPEN)
    bank.tell(S.LOST, hours=1)
    ownership = casework.ownership(bank.case.subject)
    assert ownership is not None
    assert (str(ownership.team), ownership.owner, ownership.version) == ("Finance", None, 1)


def test_the_story_of_a_payment_tells_of_its_disputes(hands: Hands, bank: Bank) -> None:
    payment = hands.sale()
    bank.tell(S.INQUIRY)
    bank.tell(S.LOST, hours=1)
    titles = [moment.title for moment in timeline.story(payment)]
    assert titles.index("Dispute: inquiry") < titles.index("Dispute: lost")
    assert "sandbox tells of a dispute: lost" in titles
    assert {"Event dispute.opened", "Event dispute.lost"} <= set(titles)


def test_verification_names_a_dispute_that_does_not_agree(hands: Hands, bank: Bank) -> None:
    payment = hands.sale()
    bank.tell(S.OPEN, amount=eur(4000))
    case = bank.case
    by_force("UPDATE payments_payment SET disputed = 3000")
    assert broken() == [f"{payment}: disputed 3000 and charged back 0; its disputes say 4000 and 0"]
    by_force("UPDATE payments_payment SET disputed = 4000")
    by_force("UPDATE payments_dispute SET withheld = 5000")
    assert broken() == [
        f"{case}: is OPEN of 4000 with 5000 withheld, 0 lost, 4000 counted",
        f"{case}: 5000 withheld, 0 lost, fee 0; the ledger has 4000, 0 and 0",
    ]
    by_force("UPDATE payments_dispute SET withheld = 4000")


# --- any order ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    status: DisputeStatus
    hours: int
    amount: int
    fee: int | None


@st.composite
def stories(draw: st.DrawFn) -> list[Piece]:
    """Draw a story that the table of moves allows, with amounts and fees that change on the way."""
    state = draw(st.sampled_from([DisputeState.INQUIRY, DisputeState.OPEN]))
    states = [state]
    while disputes.MOVES[state] and len(states) < 6 and draw(st.integers(0, 5)):
        state = draw(st.sampled_from(disputes.MOVES[state]))
        states.append(state)
    amount = st.sampled_from([10000, 10000, 7500, 12000])
    fee = st.sampled_from([None, 0, 1500, 2500])
    return [Piece(S(one.value), hours, draw(amount), draw(fee)) for hours, one in enumerate(states)]


def broken() -> list[str]:
    """Return what the checks of disputes find; the fixture runs all of them only once."""
    with connection.cursor() as cursor:
        return [row[0] for sql in verification.STATEMENTS.values() for row in cursor.execute(sql).fetchall()]


def outcome(payment: Payment, dispute: Dispute) -> dict[str, Any]:
    found = fresh(payment)
    return {
        "dispute": (dispute.state, dispute.stage, dispute.amount, dispute.withheld, dispute.lost, dispute.fee),
        "payment": (found.disputed, found.charged_back, found.refundable),
        "books": [books(code) for code in ("1110", "1210", "5020", "5030", "2010")],
    }


def played(hands: Hands, payment: Payment, pieces: Sequence[Piece]) -> dict[str, Any]:
    """Tell a story in the order given, look at what it led to, and undo it all."""
    with transaction.atomic():
        bank = Bank(hands)
        for piece in pieces:
            bank.tell(
                piece.status,
                hours=piece.hours,
                amount=eur(piece.amount),
                fee=eur(piece.fee) if piece.fee is not None else None,
            )
        found = outcome(payment, bank.case)
        assert broken() == []
        transaction.set_rollback(True)
    return found


STORY = [
    Piece(S.INQUIRY, 0, 10000, None),
    Piece(S.OPEN, 1, 10000, 1500),
    Piece(S.WON_PROVISIONAL, 2, 7500, 0),
    Piece(S.LOST, 3, 7500, 2500),
]


def test_every_order_of_one_story_leads_to_the_same_state_and_books(hands: Hands) -> None:
    payment = hands.sale()
    in_order = played(hands, payment, STORY)
    assert in_order["dispute"] == ("LOST", "CHARGEBACK", 7500, 0, 7500, 2500)
    for other in list(permutations(STORY))[1::3]:
        assert played(hands, payment, [*other, other[0]]) == in_order


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_leads_to_the_same_state_and_books(hands: Hands, data: st.DataObject) -> None:
    payment = Payment.objects.first() or hands.sale()
    pieces = data.draw(stories())
    shuffled = data.draw(st.permutations(pieces))
    doubled = [*shuffled, *data.draw(st.permutations(pieces))]
    in_order = played(hands, payment, pieces)
    assert in_order["dispute"][0] == pieces[-1].status.value
    assert played(hands, payment, shuffled) == in_order
    assert played(hands, payment, doubled) == in_order


def test_the_table_of_moves_is_that_of_the_state_machine() -> None:
    def legal() -> Iterator[tuple[str, str]]:
        for move in Dispute._meta.get_field("state").get_all_transitions(Dispute):
            yield str(move.source), str(move.target)

    assert set(legal()) == {
        (before.value, after.value) for before, following in disputes.MOVES.items() for after in following
    }
