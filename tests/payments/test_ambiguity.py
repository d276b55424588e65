"""The verdict "safe to retry: yes or no, because …": a table over all states, and never a yes while it may happen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app
from hypothesis import given
from hypothesis import strategies as st

from paymentops.payments import ambiguity, doorbell
from paymentops.payments.ambiguity import Facts, Reason, Step
from paymentops.payments.states import AttemptState
from paymentops.providers.contract import Capabilities, Method, Operation, RetryClass

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)  # a Wednesday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ASKED = Capabilities(
    methods=frozenset({Method.CARD}),
    key_length=64,
    key_window=DAY,
    visibility_horizon=15 * MINUTE,
    not_found_gap=MINUTE,
    inquiry_schedule=(timedelta(seconds=5), HOUR),
    call_timeout=timedelta(seconds=20),
    partial_capture=True,
    multiple_captures=True,
)
SILENT = replace(ASKED, can_inquire=False)


def facts(state: str, **known) -> Facts:
    sent = {
        "dispatches": 1,
        "sent_at": NOW - HOUR,
        "last_sent_at": NOW - HOUR,
        "next_action_at": NOW + HOUR,
        "cut_off_at": NOW + DAY,
    }
    values = {"capabilities": ASKED, "provider": "stripe", "operation": Operation.CAPTURE, "now": NOW, **sent}
    return Facts(state=AttemptState(state), **{**values, **known})


TABLE = [
    (facts("PREPARED", dispatches=0), Reason.WILL_BE_SENT, Step.SEND),
    (facts("PREPARED"), Reason.WILL_BE_SENT, Step.SEND),
    (facts("DISPATCHED", leased_until=NOW + MINUTE), Reason.BEING_SENT, Step.ASK),
    (facts("DISPATCHED", leased_until=NOW - MINUTE), Reason.WORKER_LOST, Step.ASK),
    (facts("DISPATCHED", leased_until=NOW, capabilities=SILENT), Reason.WORKER_LOST, Step.SEND_AGAIN),
    (facts("UNKNOWN"), Reason.NOT_ASKED_YET, Step.ASK),
    (facts("UNKNOWN", last_inquiry="Unknown"), Reason.NO_CLEAR_ANSWER, Step.ASK),
    (facts("UNKNOWN", last_inquiry="NotFound", last_sent_at=NOW - MINUTE), Reason.NOT_FOUND_TOO_EARLY, Step.ASK),
    (facts("UNKNOWN", last_inquiry="NotFound", not_found_at=NOW - MINUTE / 2), Reason.NOT_FOUND_ONCE, Step.ASK),
    (facts("UNKNOWN", cut_off_at=NOW, rule="by_hand"), Reason.PAST_CUT_OFF, Step.NEWS_OR_PEOPLE),
    (facts("UNKNOWN", cut_off_at=NOW, rule="asked_for"), Reason.PAST_CUT_OFF, Step.ASK),
    (facts("UNKNOWN", capabilities=SILENT), Reason.SAME_KEY_AGAIN, Step.SEND_AGAIN),
    (facts("UNKNOWN", capabilities=SILENT, sent_at=NOW - DAY), Reason.ONLY_NEWS_DECIDES, Step.NEWS_OR_PEOPLE),
    (facts("UNKNOWN", capabilities=SILENT, rule="by_hand"), Reason.ONLY_NEWS_DECIDES, Step.NEWS_OR_PEOPLE),
    (facts("PENDING"), Reason.PROVIDER_IS_WORKING, Step.ASK),
    (facts("PENDING", capabilities=SILENT), Reason.PROVIDER_IS_WORKING, Step.NEWS_OR_PEOPLE),
    (facts("ACTION_REQUIRED"), Reason.PAYER_MAY_ACT, Step.ASK),
    (facts("SUCCEEDED"), Reason.HAPPENED, Step.NOTHING),
    (facts("REVERSED"), Reason.TAKEN_BACK, Step.NOTHING),
    (facts("FAILED"), Reason.NOT_EXECUTED, Step.NOTHING),
    (facts("FAILED", decided_by_people=True), Reason.DECIDED_BY_PEOPLE, Step.NOTHING),
    (facts("FAILED", contrary_evidence=True), Reason.CONTRARY_EVIDENCE, Step.NOTHING),
    (facts("FAILED", another_open=True), Reason.ANOTHER_OPEN, Step.NOTHING),
    (facts("FAILED", another_succeeded=True), Reason.ANOTHER_SUCCEEDED, Step.NOTHING),
    (facts("FAILED", unanswered_sends=True, last_sent_at=NOW - MINUTE), Reason.SENDER_MAY_LIVE, Step.NOTHING),
    (facts("FAILED", unanswered_sends=True, last_sent_at=NOW - 3 * MINUTE), Reason.NOT_EXECUTED, Step.NOTHING),
    (facts("DECLINED", result_class=RetryClass.SOFT_DECLINE), Reason.DECLINED, Step.NOTHING),
    (facts("DECLINED", result_class=RetryClass.DATA_DECLINE), Reason.DECLINED, Step.NOTHING),
    (facts("DECLINED", result_class=RetryClass.HARD_DECLINE), Reason.REFUSED_FOR_GOOD, Step.NOTHING),
    (facts("EXPIRED"), Reason.LAPSED, Step.NOTHING),
    (facts("EXPIRED", capabilities=SILENT), Reason.END_NOT_CONFIRMED, Step.NOTHING),
    (facts("CANCELED", dispatches=0, sent_at=None, last_sent_at=None), Reason.NEVER_SENT, Step.NOTHING),
    (facts("CANCELED", capabilities=SILENT), Reason.END_NOT_CONFIRMED, Step.NOTHING),
]
SAFE = {Reason.NOT_EXECUTED, Reason.DECIDED_BY_PEOPLE, Reason.DECLINED, Reason.LAPSED, Reason.NEVER_SENT}


@pytest.mark.parametrize(("known", "reason", "step"), TABLE, ids=[f"{row[0].state}-{row[1]}" for row in TABLE])
def test_every_state_has_its_verdict(known: Facts, reason: Reason, step: Step):
    verdict = ambiguity.judge(known)
    assert (verdict.reason, verdict.next_step) == (reason, step)
    assert verdict.safe == (reason in SAFE)
    assert verdict.sentence.startswith("Yes, because " if verdict.safe else "No, because ")
    assert verdict.sentence.endswith(".")
    assert bool(verdict.would_change) != verdict.safe


def test_the_table_leaves_no_state_and_no_reason_out():
    assert {row[0].state for row in TABLE} == set(AttemptState)
    assert {row[1] for row in TABLE} == set(Reason)


moments = st.one_of(st.none(), st.integers(-10 * 24 * 60, 10 * 24 * 60).map(lambda minutes: NOW + minutes * MINUTE))
anything = st.builds(
    Facts,
    state=st.sampled_from(AttemptState),
    operation=st.sampled_from(Operation),
    provider=st.just("stripe"),
    capabilities=st.sampled_from([ASKED, SILENT]),
    now=st.just(NOW),
    dispatches=st.integers(0, 3),
    unanswered_sends=st.booleans(),
    sent_at=moments,
    last_sent_at=moments,
    last_inquiry=st.sampled_from(["", "NotFound", "Unknown", "Pending"]),
    not_found_at=moments,
    next_action_at=moments,
    leased_until=moments,
    rule=st.sampled_from(["", "inquiry", "by_hand", "asked_for", "resend"]),
    result_class=st.one_of(st.none(), st.sampled_from(RetryClass)),
    decided_by_people=st.booleans(),
    contrary_evidence=st.booleans(),
    another_open=st.booleans(),
    another_succeeded=st.booleans(),
    cut_off_at=moments,
)


@given(anything)
def test_it_is_never_safe_while_an_effect_is_possible(known: Facts):
    """What may still happen, told once more and from the other side: by what is able to cause an effect."""
    sleeping_sender = (
        known.dispatches > 0
        and known.unanswered_sends
        and known.last_sent_at is not None
        and known.now - known.last_sent_at < timedelta(minutes=2)
    )
    unheard_end = known.state in ("EXPIRED", "CANCELED") and known.dispatches > 0 and not known.capabilities.can_inquire
    possible = (
        known.state in ("PREPARED", "DISPATCHED", "UNKNOWN", "PENDING", "ACTION_REQUIRED")
        or known.state in ("SUCCEEDED", "REVERSED")
        or known.another_open
        or known.another_succeeded
        or known.contrary_evidence
        or sleeping_sender
        or (unheard_end and not known.decided_by_people)
    )
    assert not (ambiguity.judge(known).safe and possible)


def test_no_worker_outlives_what_the_verdict_counts_on():
    current_app.loader.import_default_modules()
    longest = max(
        task.time_limit for name, task in current_app.tasks.items() if name in (doorbell.TASK, "payments.sweep")
    )
    assert timedelta(seconds=longest) <= ambiguity.SENDER_DIES_WITHIN


@pytest.mark.parametrize(
    ("day", "days", "ends"), [(18, 0, 18), (18, 2, 20), (18, 3, 23), (20, 1, 23), (21, 1, 23), (22, 3, 25)]
)
def test_business_days_are_neither_saturday_nor_sunday(day: int, days: int, ends: int):
    start = NOW.replace(day=day)
    assert ambiguity.business_days_after(start, days=days) == NOW.replace(day=ends)
