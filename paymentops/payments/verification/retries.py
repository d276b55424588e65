"""Retries stay within caps, and schedules are reproducible (invariant 11 of SEMANTICS section 9).

The policies are read from their files; what was stored is computed again from the inputs beside it.
"""

import json
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Any, Final

from paymentops.payments.retry import published, schedule
from paymentops.payments.retry.policy import NewAttempt, Policy
from paymentops.providers.contract import Operation, RetryClass

# Each further attempt beside the one whose end it follows.
_FURTHER: Final = """
SELECT format('att_%s', replace(a.id::text, '-', '')), p.policy_version, a.operation, a.number, a.provider,
       before.state, before.result_class, before.provider
FROM payments_attempt a
JOIN payments_payment p ON p.id = a.payment_id
LEFT JOIN payments_attempt before
       ON before.payment_id = a.payment_id AND before.operation = a.operation AND before.number = a.number - 1
WHERE a.number > 1
"""
# What was never in doubt was sent again only because it provably had not left.
_SENT: Final = """
SELECT format('att_%s', replace(a.id::text, '-', '')), p.policy_version, a.dispatches
FROM payments_attempt a JOIN payments_payment p ON p.id = a.payment_id
WHERE a.dispatches > 1 AND NOT a.was_unknown
"""
_PLANNED: Final = """
SELECT format('att_%s', replace(a.id::text, '-', '')), p.policy_version, planned.inputs::text,
       CASE WHEN a.state = 'PREPARED' AND a.lease_expires_at IS NULL AND planned.is_present THEN a.next_action_at END
FROM payments_attempt a JOIN payments_payment p ON p.id = a.payment_id,
LATERAL (VALUES (a.schedule, true), (a.decision, false)) AS planned (inputs, is_present)
WHERE planned.inputs ? 'draw' AND planned.inputs ? 'root' AND planned.inputs ? 'delay_s'
"""
# The last two by late evidence.
_ENDED: Final = frozenset({"DECLINED", "FAILED", "SUCCEEDED", "REVERSED"})
_MACHINES: Final = (NewAttempt.YES, NewAttempt.IF_CAPABILITY_DIFFERS)


def beyond_caps(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Name further attempts that the payment's policy did not allow."""
    for name, version, operation, number, provider, *before in rows:
        policy = published.policy(version)
        if operation != Operation.AUTHORIZE:
            yield f"{name}: is attempt {number} of a {operation.lower()}, which has one"
        elif number > policy.tries:
            yield f"{name}: is attempt {number}; the policy {version} allows {policy.tries}"
        elif (why := _not_allowed(policy, provider, *before)) is not None:
            yield f"{name}: {why}"


def _not_allowed(policy: Policy, provider: str, state: str, result_class: str, before: str) -> str | None:
    if state not in _ENDED:
        return f"follows an attempt that is {state or 'missing'}"
    if result_class not in RetryClass:
        return "follows an answer without a class"
    action = policy.actions[RetryClass(result_class)]
    wish = action.same_provider if provider == before else action.other_provider
    return None if wish in _MACHINES else f"follows {result_class} at {before}, which allows none at {provider}"


def sent_too_often(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Name attempts that were sent more often than their policy puts anything off."""
    for name, version, dispatches in rows:
        most = published.policy(version).deferrals + 1
        if dispatches > most:
            yield f"{name}: was sent {dispatches} times, {most} at most by the policy {version}"


def not_reproducible(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Name attempts whose stored inputs no longer give the stored moment."""
    for name, version, text, next_action_at in rows:
        inputs = json.loads(text)
        planned = schedule.recomputed(inputs, policy=published.policy(version))
        differ = sorted(key for key, value in planned.inputs.items() if inputs.get(key) != value)
        if differ:
            yield f"{name}: its schedule computed again differs in {', '.join(differ)}"
        elif next_action_at is not None and next_action_at != planned.at:
            yield f"{name}: is due at {next_action_at}, by its inputs at {planned.at}"


CHECKS: Final = MappingProxyType(
    {
        "payments.retries_within_caps": (_FURTHER, beyond_caps),
        "payments.deferrals_within_caps": (_SENT, sent_too_often),
        "payments.schedules_reproducible": (_PLANNED, not_reproducible),
    }
)
