"""The rule of circuit breakers: what counts, when one opens, and how it recovers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.payments import breaker
from paymentops.payments.breaker import Effect, Judgement, Key, Rule, Tally, Verdict

RULE = Rule(window=timedelta(seconds=30), least_calls=20, open_at=0.5, open_for=timedelta(seconds=30), probes=(1, 5))
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEY = Key("sandbox", "AUTHORIZE", "card")
EFFECTS = st.lists(st.sampled_from([Effect.WORKED, Effect.FAILED, Effect.UNKNOWN]), max_size=60)


def tally(effects: list[Effect]) -> Tally:
    found = Tally()
    for effect in effects:
        found = found.plus(effect)
    return found


@pytest.mark.parametrize(
    ("outcome", "reason", "effect"),
    [
        ("Approved", "", Effect.WORKED),
        ("Declined", "", Effect.WORKED),
        ("ActionRequired", "", Effect.WORKED),
        ("Pending", "", Effect.WORKED),
        ("NotSent", "connection_refused", Effect.FAILED),
        ("NotSent", "rate_limited", Effect.FAILED),
        ("NotSent", "deadline_passed", Effect.NOTHING),
        ("Unknown", "timeout", Effect.UNKNOWN),
    ],
)
def test_declines_are_answers_and_what_we_did_not_send_says_nothing(outcome: str, reason: str, effect: Effect) -> None:
    assert breaker.effect_of(outcome, reason=reason) is effect


@pytest.mark.parametrize(
    ("counted", "opens"),
    [
        (Tally(worked=0, failed=19), False),
        (Tally(worked=0, failed=20), True),
        (Tally(worked=11, failed=9), False),
        (Tally(worked=10, failed=10), True),
        (Tally(worked=15, unknown=5), True),
        (Tally(worked=16, unknown=4), False),
        (Tally(worked=13, failed=4, unknown=3), True),
        (Tally(), False),
    ],
)
def test_half_of_at_least_twenty_calls_opens_and_unknown_counts_double(counted: Tally, opens: bool) -> None:
    assert breaker.should_open(counted, RULE) is opens


@given(EFFECTS)
def test_what_worked_never_opens_and_one_more_failure_never_closes(effects: list[Effect]) -> None:
    counted = tally(effects)
    assert 0 <= counted.share <= 1
    assert counted.calls == len(effects)
    if breaker.should_open(counted, RULE):
        assert counted.calls >= 20
        assert breaker.should_open(counted.plus(Effect.FAILED), RULE)
        assert breaker.should_open(counted.plus(Effect.UNKNOWN), RULE)
    if counted.failed == counted.unknown == 0:
        assert not breaker.should_open(counted, RULE)


@given(EFFECTS)
def test_the_order_of_calls_does_not_count(effects: list[Effect]) -> None:
    assert tally(effects) == tally(effects[::-1])


@pytest.mark.parametrize(
    ("permitted", "worked", "failed", "judgement"),
    [
        (1, 0, 0, Judgement(Verdict.WAIT)),
        (1, 1, 0, Judgement(Verdict.WIDEN, 5)),
        (1, 0, 1, Judgement(Verdict.OPEN)),
        (5, 4, 0, Judgement(Verdict.WAIT)),
        (5, 5, 0, Judgement(Verdict.CLOSE)),
        (5, 4, 1, Judgement(Verdict.OPEN)),
        (5, 0, 1, Judgement(Verdict.OPEN)),
    ],
)
def test_one_probe_then_five_and_any_failure_opens_again(
    permitted: int, worked: int, failed: int, judgement: Judgement
) -> None:
    assert breaker.judge(permitted=permitted, worked=worked, failed=failed, rule=RULE) == judgement


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_what_is_held_back_is_looked_at_after_the_first_probe_and_its_inputs_give_the_moment(fraction: float) -> None:
    probes_from = NOW + timedelta(seconds=30)
    planned = breaker.hold(key=KEY, version=3, probes_from=probes_from, fraction=fraction, now=NOW)
    assert probes_from < planned.at <= probes_from + timedelta(seconds=5)
    assert planned.at == NOW + timedelta(seconds=planned.inputs["delay_s"])
    assert planned.inputs["breaker"] == "sandbox/AUTHORIZE/card"
    assert planned == breaker.hold(key=KEY, version=3, probes_from=probes_from, fraction=fraction, now=NOW)


def test_a_key_is_read_as_it_is_written() -> None:
    assert Key.parse(str(KEY)) == KEY
    with pytest.raises(ValueError, match="not a valid Operation"):
        Key.parse("sandbox/STEAL/card")
