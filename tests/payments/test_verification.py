"""Verification finds in the rows whatever was done behind the back of triggers, constraints and code."""

import pytest
from django.db import connection

from paymentops.idempotency import verification as idempotency_verification
from paymentops.payments import verification
from paymentops.payments.models import Attempt, Payment
from tests.payments.hands import Hands, by_force, fresh, public

pytestmark = pytest.mark.django_db


def broken() -> dict[str, list[str]]:
    modules = (idempotency_verification, verification)
    return {check.name: check.violations for module in modules for check in module.checks() if not check.ok}


def without_constraint(table: str, name: str) -> None:
    """Drop a constraint, of whichever kind, until the test's transaction ends."""
    with connection.cursor() as cursor:
        # A table with deferred triggers waiting cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        cursor.execute(f"DROP INDEX IF EXISTS {name}")


@pytest.fixture
def sale(hands: Hands) -> Payment:
    return hands.sale()


@pytest.fixture
def refunded(hands: Hands, sale: Payment) -> Payment:
    hands.refund(sale, 4000)
    hands.send(hands.done(4000))
    return fresh(sale)


def test_nothing_at_all_verifies() -> None:
    assert broken() == {}


def test_every_kind_of_story_verifies(hands: Hands) -> None:
    back = hands.waiting()
    hands.resume(back, result="approve")
    hands.answer(hands.handing_in(), hands.sold())
    hands.cancel(hands.waiting())
    hands.answer(hands.taking_back(), hands.taken_back())
    hands.pay()
    hands.send(hands.declined())
    partly = hands.hold()
    hands.capture(partly, 3000)
    hands.send(hands.done(3000))
    hands.capture(partly, 2000)
    hands.send(hands.declined(code="capture_declined"))
    hands.cancel(partly)
    hands.send(hands.done(7000))
    sale = hands.sale()
    hands.refund(sale, 4000)
    hands.send(hands.done(4000))
    hands.refund(sale)
    hands.send(hands.unknown())
    hands.cancel(hands.pay())
    hands.pay()
    assert broken() == {}


def test_a_state_without_its_transition_is_named(sale) -> None:
    by_force("UPDATE payments_payment SET state = 'VOIDED'")
    assert broken()["payments.states_fold"] == [f"{sale}: is VOIDED, its transitions lead to CAPTURED"]


def test_an_illegal_move_is_named(sale) -> None:
    by_force("DELETE FROM payments_paymenttransition WHERE to_state = 'PROCESSING'")
    assert broken()["payments.states_fold"] == [f"{sale}: impossible transitions CREATED > CAPTURED"]


def test_a_broken_chain_is_named(sale) -> None:
    by_force("UPDATE payments_paymenttransition SET from_state = 'REQUIRES_ACTION' WHERE to_state = 'CAPTURED'")
    assert broken()["payments.states_fold"] == [f"{sale}: impossible transitions CREATED > PROCESSING > CAPTURED"]


def test_transitions_of_nothing_and_nothing_of_transitions_are_named(sale) -> None:
    by_force("UPDATE payments_paymenttransition SET payment_id = gen_random_uuid()")
    assert any("transitions without a payment" in text for text in broken()["payments.states_fold"])
    assert f"{sale}: is CAPTURED without a transition" in broken()["payments.states_fold"]


def test_a_version_set_back_is_named(sale) -> None:
    by_force("UPDATE payments_payment SET version = 1")
    assert broken()["payments.states_fold"] == [f"{sale}: version 1, its last transition has 3"]


def test_an_attempt_that_skipped_its_dispatch_is_named(sale) -> None:
    attempt = Attempt.objects.get()
    by_force("DELETE FROM payments_attempttransition WHERE to_state = 'DISPATCHED'")
    found = broken()
    assert found["payments.attempt_states_fold"] == [f"{attempt}: impossible transitions SUCCEEDED"]
    assert found["payments.sent_only_when_committed"] == [f"{attempt}: 1 dispatches, 0 transitions to DISPATCHED"]


def test_an_attempt_without_a_row_must_be_prepared(hands) -> None:
    hands.pay()
    by_force("UPDATE payments_attempt SET state = 'DISPATCHED'")
    attempt = Attempt.objects.get()
    assert broken()["payments.attempt_states_fold"] == [f"{attempt}: is DISPATCHED without a transition"]


def test_a_refund_moved_by_hand_is_named(refunded) -> None:
    by_force("UPDATE payments_refund SET state = 'FAILED'")
    refund = refunded.refunds.get()
    found = broken()
    assert found["payments.refund_states_fold"] == [f"{refund}: is FAILED, its transitions lead to SUCCEEDED"]
    assert found["payments.refunds_add_up"] == [f"{refunded}: refunded 4000 and reserved 0; its refunds say 0 and 0"]


def test_a_final_state_left_without_evidence_is_named(hands) -> None:
    payment = hands.pay()
    hands.send(hands.declined())
    hands.notify(Attempt.objects.get(), hands.sold())
    assert broken() == {}
    by_force("UPDATE payments_paymenttransition SET cause = 'person:ann' WHERE to_state = 'CAPTURED'")
    assert broken()["payments.final_left_by_evidence"] == [
        f"{payment}: left FAILED for CAPTURED because of person:ann, which proves nothing"
    ]


def test_a_cause_that_moved_twice_is_named(sale) -> None:
    without_constraint("payments_paymenttransition", "payment_moves_once_per_cause")
    by_force("UPDATE payments_paymenttransition SET cause = 'request:x' WHERE to_state <> 'CREATED'")
    assert broken()["payments.causes_count_once"] == [f"{sale}: moved 2 times by request:x"]


def test_moves_that_nobody_was_told_of_and_tales_of_no_move_are_named(sale) -> None:
    by_force("UPDATE events_outboxevent SET sequence = 9 WHERE type = 'payment.captured'")
    told, untold = sorted(broken()["payments.moves_are_told"])
    assert "tells of version 9 of a payment that never was" in told
    assert untold == f"{sale}: no event tells of CAPTURED (version 3)"


def test_an_event_that_tells_something_else_is_named(sale) -> None:
    by_force("UPDATE events_outboxevent SET type = 'payment.failed' WHERE type = 'payment.captured'")
    [violation] = broken()["payments.moves_are_told"]
    assert violation.endswith("is payment.failed and tells of CAPTURED")


def test_amounts_that_no_provider_confirmed_are_named(sale) -> None:
    by_force("UPDATE payments_payment SET captured = 9000, authorized = 9000")
    found = broken()
    assert found["payments.amounts_as_proved"] == [
        f"{sale}: authorised 9000, captured 9000, refunded 0; its providers confirmed 10000, 10000 and 0"
    ]
    assert found["payments.amounts_as_in_ledger"] == [
        f"{sale}: captured less refunded is 9000 and 0 is held; the ledger has 10000 posted and 0 pending"
    ]


def test_a_hold_that_the_ledger_does_not_know_is_named(hands) -> None:
    payment = hands.hold()
    by_force("UPDATE ledger_entry SET state = 'VOIDED'")
    assert broken() == {
        "payments.amounts_as_in_ledger": [
            f"{payment}: captured less refunded is 0 and 10000 is held; the ledger has 0 posted and 0 pending"
        ]
    }


def test_an_entry_for_nothing_is_named(sale) -> None:
    by_force("UPDATE ledger_entry SET source_id = gen_random_uuid()")
    [violation] = broken()["payments.no_entry_without_cause"]
    assert violation.endswith("posted for a payment that does not exist")


def test_a_success_without_an_answer_is_named(sale) -> None:
    by_force("UPDATE payments_providercall SET applied = false")
    attempt = Attempt.objects.get()
    assert broken()["payments.success_has_one_proof"] == [f"{attempt}: is SUCCEEDED with 0 applied approvals"]


def test_something_voided_without_a_void_is_named(hands) -> None:
    payment = hands.hold()
    by_force("UPDATE payments_payment SET voided = 500")
    assert broken()["payments.voided_with_cause"] == [f"{payment}: voided 500 without a void or an expiry"]


def test_amounts_that_do_not_fit_the_state_are_named(hands) -> None:
    payment = hands.pay()
    hands.send(hands.declined())
    by_force("UPDATE payments_payment SET authorized = 5, captured = 5")
    assert broken()["payments.amounts_fit_state"] == [f"{payment}: is FAILED with authorised 5, captured 5, voided 0"]


def test_amounts_beyond_their_limits_are_named(sale) -> None:
    for name in ("captured_within_authorized", "refunds_within_captured", "amounts_not_negative"):
        without_constraint("payments_payment", f"payment_{name}")
    by_force("UPDATE payments_payment SET captured = 10001, refunded = 10002, disputed = -1")
    assert broken()["payments.amounts_within_limits"] == [
        f"{sale}: captured 10001 and voided 0 of 10000",
        f"{sale}: captured 10001, asked for 10000",
        f"{sale}: refunded 10002, reserved 0 of 10001",
        f"{sale}: a negative amount",
    ]


def test_a_reservation_without_its_refund_is_named(sale) -> None:
    by_force("UPDATE payments_payment SET refund_reserved = 10")
    assert broken() == {
        "payments.refunds_add_up": [f"{sale}: refunded 0 and reserved 10; its refunds say 0 and 0"],
    }


@pytest.mark.parametrize(
    ("table", "where", "missing"),
    [
        ("idempotency_idempotencykey", "true", "idempotency key"),
        ("payments_attempt", "true", "attempt"),
        ("payments_paymenttransition", "sequence = 1", "first transition"),
        ("events_outboxevent", "sequence = 1", "payment.created event"),
    ],
)
def test_a_part_of_an_accepted_payment_that_is_missing_is_named(sale, table, where, missing) -> None:
    by_force(f"DELETE FROM {table} WHERE {where}")
    assert f"{sale}: has no {missing}" in broken()["payments.accepted_whole"]


def test_a_key_without_what_it_made_is_named(hands, sale) -> None:
    hands.refund(sale)
    by_force("DELETE FROM payments_refund")
    [violation] = broken()["payments.keys_have_resource"]
    assert violation.endswith("of payments.refund: its refund does not exist or has another key")


def test_a_request_under_the_key_of_another_client_is_named(hands, sale) -> None:
    refund = hands.refund(sale)
    by_force(
        "UPDATE idempotency_idempotencykey SET client_id = gen_random_uuid() WHERE operation = 'payments.refund'",
    )
    found = broken()
    assert found["payments.requests_have_key"] == [f"{refund}: has no idempotency key of its client"]
    assert "its client does not exist" in found["idempotency.keys_of_a_client"][0]


def test_a_request_that_no_attempt_carries_out_is_named(hands) -> None:
    payment = hands.hold()
    capture = hands.capture(payment)
    by_force("DELETE FROM payments_attempt WHERE operation = 'CAPTURE'")
    assert broken()["payments.requests_have_attempt"] == [f"{capture}: has no attempt"]


def test_an_answer_to_something_never_sent_is_named(sale) -> None:
    attempt = Attempt.objects.get()
    by_force("UPDATE payments_providercall SET number = 2")
    assert broken()["payments.sent_only_when_committed"] == [f"{attempt}: answer to dispatch 2, only 1 committed"]
    by_force("UPDATE payments_providercall SET number = 2, kind = 'INQUIRY'")
    assert broken()["payments.sent_only_when_committed"] == [f"{attempt}: answer to inquiry 2, only 0 committed"]


def test_two_answers_to_one_call_are_named(hands) -> None:
    hands.pay()
    hands.send(hands.unknown())
    hands.ask(hands.unknown())
    hands.ask(hands.unknown())
    without_constraint("payments_providercall", "call_is_answered_once")
    by_force("UPDATE payments_providercall SET number = 1 WHERE kind = 'INQUIRY'")
    assert broken()["payments.answered_once"] == [f"{Attempt.objects.get()}: 2 answers to INQUIRY 1"]


def test_a_provider_key_of_another_attempt_is_named(sale) -> None:
    by_force("UPDATE payments_attempt SET provider_key = 'po-1'")
    attempt = Attempt.objects.get()
    assert broken()["payments.provider_keys_derived"] == [f"{attempt}: its provider key po-1 was not derived from it"]


def test_two_open_attempts_are_named(hands) -> None:
    payment = hands.hold()
    hands.capture(payment)
    without_constraint("payments_attempt", "attempt_one_open_per_payment")
    by_force("UPDATE payments_attempt SET state = 'UNKNOWN' WHERE operation = 'AUTHORIZE'")
    [violation] = broken()["payments.one_open_attempt"]
    assert violation.startswith(f"{payment}: 2 open attempts (att_")


def test_two_open_attempts_of_one_refund_are_named(hands, sale) -> None:
    refund = hands.refund(sale, 100)
    hands.refund(sale, 200)
    without_constraint("payments_attempt", "attempt_one_open_per_refund")
    by_force("UPDATE payments_attempt SET refund_id = %s WHERE operation = 'REFUND'", refund.pk)
    assert broken()["payments.one_open_attempt"] == [f"{refund}: 2 open attempts"]


def test_two_successes_of_one_refund_are_named(hands, sale) -> None:
    refund = hands.refund(sale, 100)
    hands.refund(sale, 200)
    by_force("UPDATE payments_attempt SET refund_id = %s, state = 'SUCCEEDED' WHERE operation = 'REFUND'", refund.pk)
    assert broken()["payments.one_success"] == [f"{refund}: 2 attempts succeeded"]


def test_an_open_attempt_that_nothing_takes_on_is_named(hands) -> None:
    hands.pay()
    by_force("UPDATE payments_attempt SET next_action_at = NULL")
    attempt = Attempt.objects.get()
    assert broken() == {"payments.nothing_stuck": [f"{attempt}: is PREPARED and nothing will ever take it on"]}


def test_an_ended_attempt_that_is_still_due_is_named(sale) -> None:
    by_force("UPDATE payments_attempt SET next_action_at = '2026-01-05 09:00+00'")
    attempt = Attempt.objects.get()
    found = broken()
    assert found["payments.nothing_stuck"] == [f"{attempt}: is SUCCEEDED and still due at 2026-01-05 09:00:00+00"]


def test_a_payment_and_a_refund_that_wait_for_nothing_are_named(hands, sale) -> None:
    refund = hands.refund(sale)
    waiting = hands.pay()
    by_force("UPDATE payments_attempt SET state = 'FAILED', next_action_at = NULL WHERE state = 'PREPARED'")
    assert broken()["payments.nothing_stuck"] == [
        f"{waiting}: is CREATED and has no open attempt",
        f"{refund}: is APPROVED and has no open attempt",
    ]


def test_the_lease_of_a_dead_worker_that_nobody_took_over_is_named(hands) -> None:
    hands.pay()
    hands.sending()
    by_force("UPDATE payments_attempt SET next_action_at = now() - interval '2 hours', lease_expires_at = now()")
    [violation] = broken()["payments.none_overdue"]
    assert violation.endswith("when the lease of a dead worker ended")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("payment", "requested = 1"),
        ("payment", "metadata = '{}'"),
        ("payment", "reference = 'order-2'"),
        ("capture", "amount = 1"),
        ("refund", "reason = 'other'"),
        ("cancellation", "payment_id = gen_random_uuid()"),
    ],
)
def test_a_column_changed_after_the_acceptance_is_named(hands, table, change) -> None:
    payment = hands.hold()
    made = {"payment": payment, "capture": hands.capture(payment, 6000)}
    hands.send(hands.done(6000))
    made["refund"] = hands.refund(payment, 100)
    made["cancellation"] = hands.cancel(payment)
    assert broken() == {}
    by_force(f"UPDATE payments_{table} SET {change}")
    assert broken()["payments.commands_as_fingerprinted"] == [
        f"{made[table]}: its columns differ from the command that made it"
    ]


def test_what_the_service_filled_in_is_not_taken_for_a_change(hands) -> None:
    payment = hands.hold()
    hands.pay(provider="")
    hands.send(hands.sold())
    hands.capture(payment)
    hands.send(hands.done(10000))
    hands.refund(payment)
    assert broken() == {}


def test_a_key_that_owns_two_results_is_named(hands) -> None:
    hands.pay()
    hands.pay()
    without_constraint("idempotency_idempotencykey", "idempotency_key_used_once")
    by_force("UPDATE idempotency_idempotencykey SET key = 'order-10293-attempt-1'")
    client = public("cli", hands.requester.client_id)
    assert broken() == {
        "idempotency.keys_used_once": [
            f"the key order-10293-attempt-1 of client {client} owns 2 results of payments.create"
        ]
    }


def test_a_key_that_the_door_would_refuse_is_named(hands) -> None:
    hands.pay()
    without_constraint("idempotency_idempotencykey", "idempotency_key_is_well_formed")
    by_force("UPDATE idempotency_idempotencykey SET key = 'short', fingerprint = '', field_digests = '{}'")
    assert broken()["idempotency.keys_well_formed"] == [
        "the key short of payments.create: not a key that the door lets in",
        "the key short of payments.create: its fingerprint is not a SHA-256",
        "the key short of payments.create: no digests of its fields",
    ]


def test_a_use_without_its_key_is_named(hands, sale) -> None:
    by_force(
        "INSERT INTO idempotency_keyuse (id, key_id, at, outcome, api_key_prefix, trace_id)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), '2026-01-05 09:00+00', 'REPLAYED', '', '')"
    )
    assert broken()["idempotency.uses_of_keys"] == [
        "REPLAYED at 2026-01-05 09:00:00+00: its key does not exist or is younger"
    ]


# --- the payer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("details = '{}'", "kept beyond its end"),
        ("ended_at = NULL", "lost before it"),
        ("ended_at = NULL, details = '{}'", "waits, while its attempt is SUCCEEDED"),
        ("hand_ins = 7", "handed in 7 times"),
        ("details_digest = repeat('0', 64)", "differ from the command"),
    ],
)
def test_what_a_payer_brought_and_does_not_end_is_named(hands: Hands, change: str, named: str) -> None:
    resumption = hands.resume(hands.waiting(), result="approve")
    hands.answer(hands.handing_in(), hands.sold())
    without_constraint("payments_resumption", "resumption_details_erased_at_its_end")
    by_force(f"UPDATE payments_resumption SET {change} WHERE id = %s", resumption.pk)
    assert any(named in violation for violations in broken().values() for violation in violations)


def test_what_was_cancelled_after_it_was_sent_needs_an_answer_that_says_so(hands: Hands) -> None:
    hands.cancel(hands.waiting())
    hands.answer(hands.taking_back(), hands.taken_back())
    by_force("UPDATE payments_providercall SET applied = false WHERE kind = 'WITHDRAWAL'")
    assert list(broken()) == ["payments.taken_back_with_proof"]


def test_an_answer_to_a_withdrawal_that_was_never_begun_is_named(hands: Hands) -> None:
    hands.cancel(hands.waiting())
    hands.answer(hands.taking_back(), hands.taken_back())
    by_force("UPDATE payments_attempt SET withdrawals = 0")
    assert list(broken()) == ["payments.sent_only_when_committed"]
