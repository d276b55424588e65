"""Policies are data: immutable once published, checked when read, and decided by the most specific rule."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.payments import retry
from paymentops.payments.retry import Again, Case, Later, Stop, published
from paymentops.payments.retry.policy import ANY, Decision, SchemeCap
from paymentops.payments.retry.reading import UnreadablePolicy, parse
from paymentops.providers.contract import Operation, RetryClass
from tests.payments.test_routing import ALL

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEWEST = retry.policy("2026-11-22")
# What was published is never changed: a payment keeps the policy it was accepted under.
PUBLISHED = {
    "2026-11-01": "a171743be7b487f2acb3a1385035d30a8a152917c11c0b3cf00513c3c867dbf4",
    "2026-11-22": "7db2553b0930a5f64d1e6bea30ecdb62dc4f32f562c4ea08acd549e1cea311ba",
}


def test_a_published_policy_never_changes() -> None:
    assert {version: policy.digest for version, policy in retry.POLICIES.items()} == PUBLISHED


def text(version: str = "2026-11-22") -> str:
    return (published.FOLDER / f"{version}.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("tries = 3", "tries = 0", "request.tries must be a whole number of at least 1"),
        ("tries = 3", "", "request lacks tries"),
        ("cap_seconds = 60", "cap_seconds = 60\ncap_minutes = 1", "delay knows nothing named cap_minutes"),
        ("base_seconds = 1\n", 'base_seconds = "1"\n', "delay.base_seconds must be a number of seconds above 0"),
        ('class = "HARD_DECLINE"', 'class = "HARD"', r"decisions\[0\].class: 'HARD' is none of"),
        ('class = "HARD_DECLINE"', 'class = "UNKNOWN"', "is no meaning of a provider's code"),
        ('operation = "*"', 'operation = "CHARGE"', r"operation: 'CHARGE' is none of AUTHORIZE"),
        ('code = "transaction_not_allowed"', 'code = "do_not_try_again_today"', "stands there more than once"),
        ("effective_from = 2026-01-01", 'effective_from = "2026-01-01"', "must be a day such as"),
        ("[request]", "[request", "not TOML"),
    ],
)
def test_a_policy_that_breaks_its_schema_says_where(old: str, new: str, says: str) -> None:
    with pytest.raises(UnreadablePolicy, match=says):
        parse(text().replace(old, new, 1).encode())


@pytest.mark.parametrize("retry_class", ["HARD_DECLINE", "RISK_BLOCK", "PROVIDER_GUARD", "UNKNOWN"])
def test_no_policy_can_allow_what_is_never_allowed(retry_class: str) -> None:
    lines = [
        line.replace('other_provider = "never"', 'other_provider = "yes"').replace(
            'other_provider = "no"', 'other_provider = "yes"'
        )
        if line.startswith(retry_class)
        else line
        for line in text().splitlines()
    ]
    with pytest.raises(UnreadablePolicy, match=f"classes.{retry_class}"):
        parse("\n".join(lines).encode())


def test_the_most_specific_rule_wins_whatever_their_order() -> None:
    rules = [
        Decision(provider=ANY, operation=ANY, code=ANY, retry_class=RetryClass.INVALID),
        Decision(provider=ANY, operation="AUTHORIZE", code=ANY, retry_class=RetryClass.DATA_DECLINE),
        Decision(provider="stripe", operation=ANY, code=ANY, retry_class=RetryClass.RISK_BLOCK),
        Decision(provider=ANY, operation=ANY, code="51", retry_class=RetryClass.SOFT_DECLINE),
        Decision(provider="stripe", operation=ANY, code="51", retry_class=RetryClass.HARD_DECLINE),
    ]

    def meaning(policy: retry.Policy, provider: str, operation: Operation, code: str) -> RetryClass:
        return policy.class_of(provider=provider, operation=operation, code=code, given=RetryClass.PROVIDER_GUARD)

    for order in permutations(rules):
        policy = replace(NEWEST, decisions=order)
        assert meaning(policy, "stripe", Operation.AUTHORIZE, "51") is RetryClass.HARD_DECLINE
        assert meaning(policy, "adyen", Operation.AUTHORIZE, "51") is RetryClass.SOFT_DECLINE
        assert meaning(policy, "stripe", Operation.AUTHORIZE, "05") is RetryClass.RISK_BLOCK
        assert meaning(policy, "adyen", Operation.AUTHORIZE, "05") is RetryClass.DATA_DECLINE
        assert meaning(policy, "adyen", Operation.REFUND, "05") is RetryClass.INVALID
    assert meaning(NEWEST, "sandbox", Operation.AUTHORIZE, "51") is RetryClass.PROVIDER_GUARD


def test_a_scheme_cap_counts_from_its_day_on() -> None:
    older = SchemeCap(scheme="visa", tries=20, window=timedelta(days=30), effective_from=date(2025, 1, 1))
    newer = replace(older, tries=15, effective_from=date(2026, 11, 22))
    policy = replace(NEWEST, scheme_caps=(newer, older))
    assert policy.caps_of("visa", at=NOW - timedelta(days=1)) == [older]
    assert policy.caps_of("visa", at=NOW) == [newer]
    assert policy.caps_of("amex", at=NOW) == []
    assert [cap.tries for cap in NEWEST.caps_of("mastercard", at=NOW)] == [10, 35]
    assert [cap.tries for cap in NEWEST.caps_of("visa", at=NOW)] == [15]


NAMES = ["one", "two", "three"]
cases = st.builds(
    Case,
    policy=st.sampled_from(list(retry.POLICIES.values())),
    operation=st.sampled_from(Operation),
    root=st.uuids(),
    begun_at=st.just(NOW),
    tried=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(tuple),
    candidates=st.lists(st.sampled_from(["one", "two", "three"]), unique=True).map(
        lambda names: dict.fromkeys(names, ALL)
    ),
    payer_acted=st.booleans(),
    withdrawn=st.booleans(),
    charged_elsewhere=st.booleans(),
    cap_reached=st.sampled_from(["", "visa: 15 in 720 h"]),
)
NEVER = [RetryClass.HARD_DECLINE, RetryClass.RISK_BLOCK, RetryClass.PROVIDER_GUARD, RetryClass.UNKNOWN]


@given(case=cases, retry_class=st.sampled_from(RetryClass), after=st.integers(0, 7200))
def test_whatever_the_case_no_new_attempt_breaks_a_rule(case: Case, retry_class: RetryClass, after: int) -> None:
    now = NOW + timedelta(seconds=after)
    verdict = retry.judge_answer(case, retry_class, now=now)
    assert verdict == retry.judge_answer(case, retry_class, now=now)
    if isinstance(verdict, Stop):
        assert verdict.reason
        return
    assert retry_class not in NEVER
    assert case.operation is Operation.AUTHORIZE
    assert len(case.tried) < case.policy.tries
    assert verdict.provider in case.candidates
    assert not any((case.payer_acted, case.withdrawn, case.charged_elsewhere, case.cap_reached))
    assert now + case.policy.floor <= verdict.planned.at
    assert case.policy.deadline is not None
    assert verdict.planned.at + ALL.slow_call <= NOW + case.policy.deadline


@given(case=cases, sent=st.integers(1, 20), wait=st.none() | st.integers(1, 100))
def test_whatever_the_case_what_never_left_is_put_off_a_limited_number_of_times(
    case: Case, sent: int, wait: int | None
) -> None:
    retry_after = None if wait is None else timedelta(seconds=wait)
    verdict = retry.judge_not_sent(case, RetryClass.NOT_SENT, sent=sent, now=NOW, retry_after=retry_after)
    match verdict:
        case Later(planned):
            assert sent <= case.policy.deferrals
            assert planned.at - NOW >= max(case.policy.floor, retry_after or timedelta())
        case Again(provider, _):
            assert provider not in case.tried
            assert sent > case.policy.failover_after
        case Stop(rule, _):
            assert rule in {"deferrals", "deadline"}


@given(root=st.uuids(), number=st.integers(1, 12))
def test_a_stored_plan_can_be_computed_again(root: UUID, number: int) -> None:
    planned = retry.after_not_sent(policy=NEWEST, attempt_id=root, number=number, now=NOW, retry_after=None)
    assert retry.recomputed(planned.inputs, policy=NEWEST) == planned
