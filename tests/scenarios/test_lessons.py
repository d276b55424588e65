"""Defects that payment systems are known for, each with the tests that fail without our guard.

The table below is the index: what went wrong elsewhere, and where it is shown that it cannot happen here. What no other
file shows is shown here. Matching of statement lines and rollouts have no defects to guard against before they exist.
"""

import ast
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from django.db import connection, transaction

from ledger import operations as ledger
from ledger import postings
from ledger.models import Entry
from ledger.postings import Parties
from paymentops.core import clock, ids
from paymentops.payments import tasks
from paymentops.payments.commands import CreatePayment
from paymentops.payments.models import Attempt, Payment
from paymentops.payments.operations import accepting, asking, dispatching
from paymentops.payments.operations.accepting import Keyed
from paymentops.payments.operations.dispatching import Claim
from paymentops.payments.states import CaptureMode
from paymentops.providers.contract import Method, Pending, RetryClass
from tests.payments.conftest import hands, make_api
from tests.payments.hands import Hands, eur, fresh

__all__ = ["hands"]

_TESTS = Path(__file__).resolve().parent.parent
_HERE = "scenarios/test_lessons.py"

SHOWN = {
    "two refunds at once that together exceed the capture both passed; a negative refund passed": [
        "payments/test_follow_ups.py::test_two_refunds_of_60_on_100_do_not_both_pass",
        "payments/test_races.py::test_sixty_refunds_at_once_never_exceed_the_capture",
        f"{_HERE}::test_a_refund_of_less_than_nothing_is_refused",
    ],
    "a late notification overwrote a final state": [
        "payments/test_notifications.py::test_an_older_notification_that_comes_later_overwrites_nothing",
        "payments/test_late_evidence.py::test_a_late_unknown_never_overwrites_a_final_state",
    ],
    "asking never moved payments out of processing; a refund's id was never learned after a timeout": [
        "payments/test_authorising.py::test_a_pending_payment_moves_on_when_asked",
        f"{_HERE}::test_the_id_of_a_refund_that_timed_out_is_learned",
    ],
    "long-pending payments were failed by themselves, though they may have been charged": [
        "payments/test_authorising.py::test_a_long_pending_payment_is_never_failed_by_itself",
        "payments/test_retrying.py::test_a_long_pending_payment_gets_no_second_attempt",
        "payments/test_asking.py::test_nothing_found_after_the_cut_off_decides_nothing_and_an_answer_does",
    ],
    "a crash between the provider's yes and the commit: the retry paid twice": [
        "chaos/test_kill.py::test_killed_workers_charge_nobody_twice_and_leave_nothing_open",
        "payments/test_late_evidence.py::test_a_worker_that_died_while_sending_leaves_an_unknown_outcome",
        "payments/test_resending.py::test_a_worker_that_slept_past_its_lease_and_the_resend_charge_once",
    ],
    "nothing was tried again when a check on demand turned pending into failed": [
        f"{_HERE}::test_a_check_on_demand_that_turns_pending_into_declined_is_followed_by_a_try",
        "payments/test_retrying.py::test_a_pending_payment_that_turns_out_declined_is_tried_again",
    ],
    "operators repaired states with SQL: no history, no audit, no event": [
        "architecture/test_models.py::test_states_are_moved_by_transitions_only",
        "payments/test_verification.py::test_a_state_without_its_transition_is_named",
        "payments/test_deciding.py::test_that_it_happened_is_recorded_and_posted_like_an_answer",
        "payments/test_deciding.py::test_nobody_approves_what_they_proposed_whatever_their_rights",
    ],
    "the same key with another body was answered with the first result; keys lived for minutes": [
        "payments/test_spine.py::test_a_key_used_for_another_command_is_refused_naming_the_fields",
        f"{_HERE}::test_a_key_is_known_for_ever",
    ],
    "a refused request burned its key; two equal, legitimate requests blocked each other": [
        "payments/test_bad_input.py::test_a_corrected_request_may_use_the_same_key",
        "payments/test_bad_input.py::test_two_equal_requests_with_two_keys_are_two_payments",
        "payments/test_bad_input.py::test_a_refused_refund_leaves_its_key_free",
    ],
    "two commits of one pending entry both counted": [
        "ledger/test_faults.py::test_a_pending_entry_settled_and_voided_at_once_ends_in_one_state",
        "ledger/test_operations.py::test_a_pending_entry_is_settled_or_voided_once",
        "payments/test_races.py::test_twin_captures_of_one_hold_are_one_capture",
    ],
    "a client library's hidden retry applied a change twice": [
        "providers/test_no_hidden_retries.py::test_a_failing_provider_is_called_once_per_dispatch",
        "architecture/test_doors.py::test_every_task_has_a_time_limit_and_a_bounded_retry",
    ],
    "publishing without a confirmation lost transactions": [
        "events/test_publication.py::test_a_crash_before_the_mark_publishes_again_under_the_same_id",
        "events/test_outbox.py::test_an_event_goes_with_the_change_when_that_is_rolled_back",
    ],
    "refunds without a limit; a rejected transaction could be committed through another id": [
        "payments/test_follow_ups.py::test_only_what_was_captured_can_be_refunded",
        "ledger/test_operations.py::test_a_thing_without_an_entry_cannot_be_settled",
        "ledger/test_triggers.py::test_a_move_outside_the_state_machine_is_refused_also_with_a_transition",
    ],
    "amounts as floats; an unreadable amount became 0; a run was lost at a restart and never resumed": [
        "core/test_money.py::test_splitting_loses_no_unit_and_gives_the_odd_ones_first",
        "reconciliation/formats/test_values.py::test_what_is_no_amount_is_unreadable",
        "reconciliation/test_ingest.py::test_a_row_that_cannot_be_read_is_kept_with_line_and_reason",
        "reconciliation/test_ingest.py::test_a_run_goes_on_after_the_last_committed_batch",
    ],
    "a surplus passed as in order; missing data read as a balance of 0; drift named no account": [
        "payments/test_excess.py::test_a_payer_who_sends_more_has_paid_and_is_owed_the_rest",
        "ledger/test_balances.py::test_an_account_that_nobody_opened_has_no_balance",
        "ledger/test_balances.py::test_a_balance_that_drifted_is_noticed_told_and_read_from_the_lines",
    ],
    "the row lock of one hot account capped the whole ledger": [
        f"{_HERE}::test_two_postings_on_the_same_hot_accounts_do_not_wait_for_each_other",
    ],
    "lines doubled when a file was imported again; migrations failed on pending deferred triggers": [
        "reconciliation/test_ingest.py::test_the_same_bytes_answer_with_their_first_run",
        "reconciliation/test_ingest.py::test_a_position_of_a_file_is_written_once",
        "architecture/test_migrations.py::test_migrations_can_run_while_the_release_before_them_serves",
    ],
    "no interface, idempotency, retries or notion of a provider": [
        "payments/test_spine.py::test_a_retry_is_answered_byte_for_byte_and_charges_once",
    ],
    "search scanned a table; lists took one query per row": [
        "console/test_pages.py::test_more_rows_take_no_more_queries",
        "payments/test_timeline.py::test_a_long_story_takes_as_many_queries_as_a_short_one",
        "payments/test_ambiguity_doors.py::test_a_long_queue_takes_as_many_queries_as_a_short_one",
    ],
    "a failed row was deleted and a new id used as the provider's key: a second charge": [
        "payments/test_retrying.py::test_what_may_have_happened_never_gets_another_key",
        "payments/test_verification.py::test_a_provider_key_of_another_attempt_is_named",
        "payments/test_authorising.py::test_not_found_twice_resends_the_same_key_and_the_answer_counts",
    ],
    "what was made while the making of tasks was off never got follow-up work": [
        f"{_HERE}::test_what_was_accepted_while_all_work_was_held_is_found_by_the_sweep",
    ],
}


@cache
def _tests_in(name: str) -> frozenset[str]:
    nodes = ast.walk(ast.parse((_TESTS / name).read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


@pytest.mark.parametrize("where", sorted({where for many in SHOWN.values() for where in many}))
def test_every_defect_points_to_a_test_that_exists(where: str):
    file, _, name = where.partition("::")
    assert name in _tests_in(file)


@pytest.mark.django_db
def test_a_refund_of_less_than_nothing_is_refused():
    api = make_api("shop")
    payment = api.pay(key="order-10293-attempt-1")["id"]
    for amount in (-1, -6000, 0):
        refused = api.post(f"payments/{payment}/refunds", {"amount": amount, "reason": "x"}, key="refund-of-nothing")
        assert refused.status_code == 400
    assert not Payment.objects.get().refunds.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("verified")
def test_the_id_of_a_refund_that_timed_out_is_learned(hands: Hands):
    refund = hands.refund(hands.sale(), 4000)
    hands.send(hands.unknown("timeout"))
    hands.ask(hands.done(4000))
    attempt = Attempt.objects.get(refund=refund)
    assert (fresh(refund).state, attempt.provider_reference) == ("SUCCEEDED", "op_1")


@pytest.mark.django_db
@pytest.mark.usefixtures("verified")
def test_a_check_on_demand_that_turns_pending_into_declined_is_followed_by_a_try(hands: Hands, settings):
    settings.SANDBOX_INQUIRY_SECONDS = [5, 3600]
    payment = hands.pay()
    hands.send(Pending(provider_reference="ch_1", at=hands.now))
    hands.ask(Pending(provider_reference="ch_1", at=hands.now))
    hands.wait(60)
    assert asking.ask_soon(payment_id=payment.pk, now=hands.now) == 1
    hands.ask(hands.declined(RetryClass.SOFT_DECLINE, "insufficient_funds"))
    second = payment.attempts.get(state="PREPARED")
    assert second.next_action_at is not None
    hands.now = max(hands.now, second.next_action_at)
    hands.send(hands.sold())
    assert fresh(payment).state == "CAPTURED"


@pytest.mark.django_db
def test_a_key_is_known_for_ever(hands: Hands):
    command = CreatePayment(
        amount=eur(10000),
        method=Method.CARD,
        payment_token="tok_approved",
        reference="order-10293",
        customer_reference="",
        capture=CaptureMode.AUTOMATIC,
        provider="sandbox",
        metadata={},
    )
    item = Keyed(key="a-key-that-is-never-forgotten", command=command)
    first = accepting.create_payment(requester=hands.requester, item=item, now=hands.now)
    for days in (31, 400, 4000):
        again = accepting.create_payment(requester=hands.requester, item=item, now=hands.now + timedelta(days=days))
        assert (again.body, again.replayed) == (first.body, True)
    assert Payment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_postings_on_the_same_hot_accounts_do_not_wait_for_each_other():
    post_sale()  # opens the accounts
    with transaction.atomic():
        post_sale()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(post_sale_impatiently).result()
    assert Entry.objects.count() == 3


def post_sale() -> None:
    now = clock.now()
    parties = Parties(client="cli_shop", provider_account="sandbox", method="card")
    posting = postings.sold(payment_id=ids.new(now), parties=parties, amount=eur(100))
    ledger.post(posting, occurred_at=now, now=now, cause="sold")


def post_sale_impatiently() -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '500ms'")
            post_sale()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("provider", "verified")
def test_what_was_accepted_while_all_work_was_held_is_found_by_the_sweep():
    api = make_api("shop")
    with dispatching.held(), ThreadPoolExecutor(1) as pool:
        payment = api.pay(key="order-10293-attempt-1")["id"]
        assert pool.submit(claim_what_is_due).result() == []
    tasks.sweep()
    assert api.payment(payment)["state"] == "CAPTURED"


def claim_what_is_due() -> list[Claim]:
    try:
        return dispatching.claim_due(limit=5, now=clock.now())
    finally:
        connection.close()
