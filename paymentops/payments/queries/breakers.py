"""Reads about circuit breakers: what calls say, and who would hold something back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Case, Count, Value, When

from paymentops.core import ids
from paymentops.core.errors import NotFound
from paymentops.payments import breaker
from paymentops.payments.breaker import Key, Tally
from paymentops.payments.models import Breaker, BreakerTransition, ProviderCall
from paymentops.payments.states import BreakerState
from paymentops.providers import registry
from paymentops.providers.contract import Method, Operation

_CALLS: Final = """
SELECT a.provider, a.operation, p.method, count(*),
       count(*) FILTER (WHERE c.outcome = 'NotSent'), count(*) FILTER (WHERE c.outcome = 'Unknown'),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM c.answered_at - c.started_at) * 1000),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM c.answered_at - c.started_at) * 1000)
FROM payments_providercall c
JOIN payments_attempt a ON a.id = c.attempt_id JOIN payments_payment p ON p.id = a.payment_id
WHERE c.id >= %(first)s AND c.kind = 'DISPATCH' AND NOT (c.outcome = 'NotSent' AND c.message = %(too_late)s)
GROUP BY a.provider, a.operation, p.method
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How one kind of call does at a provider: its breaker, and the calls of a window.

    ``failed`` did not leave, of ``unknown`` nobody knows; latencies are in milliseconds, ``None`` without calls.
    """

    key: Key
    state: BreakerState
    by_hand: bool
    opened_at: datetime | None
    probes_from: datetime | None
    calls: int
    failed: int
    unknown: int
    p50_ms: int | None
    p95_ms: int | None

    @property
    def worked_percent(self) -> float | None:
        """The share of calls that were answered, in per cent; ``None`` without calls. A decline is an answer."""
        return round(100 * (self.calls - self.failed - self.unknown) / self.calls, 1) if self.calls else None

    @property
    def unknown_percent(self) -> float | None:
        """The share of calls with an unknown outcome, in per cent; ``None`` without calls."""
        return round(100 * self.unknown / self.calls, 1) if self.calls else None


def tallies(*, since: datetime, key: Key | None = None) -> dict[Key, Tally]:
    """Count the calls that were sent and answered since a moment, by what they say about their provider.

    Only dispatches count: an inquiry tells nothing about whether the provider takes work. The calls' ids sort by time,
    so that their primary key finds the window and no other index is needed.
    """
    calls = ProviderCall.objects.filter(pk__gte=ids.first_at(since), kind=ProviderCall.Kind.DISPATCH)
    if key is not None:
        calls = calls.filter(
            attempt__provider=key.provider, attempt__operation=key.operation, attempt__payment__method=key.method
        )
    counted = (
        calls.order_by()
        .annotate(reason=Case(When(outcome="NotSent", then="message"), default=Value("")))
        .values_list("attempt__provider", "attempt__operation", "attempt__payment__method", "outcome", "reason")
        .annotate(number=Count("id"))
    )
    found: dict[Key, Tally] = {}
    for provider, operation, method, outcome, reason, number in counted:
        of = Key(provider, operation, method)
        found[of] = found.get(of, Tally()).plus(breaker.effect_of(outcome, reason=reason), number)
    return found


def held_back(*, method: Method, now: datetime) -> dict[str, str]:
    """Return the providers whose breaker would hold a new authorisation by this method back, each with the reason."""
    breakers = Breaker.objects.filter(operation=Operation.AUTHORIZE, method=method).without_room(now)
    return {one.provider: f"breaker {one.get_state_display()}" for one in breakers}


def key_of(text: str) -> Key:
    """Read which breaker is meant: ``sandbox/AUTHORIZE/card``.

    Raises:
        NotFound: there is no such provider, operation or method.
    """
    try:
        key = Key.parse(text)
        Method(key.method)
    except ValueError as error:
        raise NotFound(
            f"{text[:80]!r} is no breaker; write provider/operation/method, sandbox/AUTHORIZE/card."
        ) from error
    if key.provider not in registry.known():
        raise NotFound(f"There is no provider {key.provider!r}; known are {', '.join(registry.known())}.")
    return key


def facts(key: Key) -> dict[str, bool]:
    """Return what people propose on: whether calls go through, and whether people hold the breaker open."""
    found = Breaker.objects.of(key).first()
    return {
        "closed": found is None or found.state == BreakerState.CLOSED,
        "by_hand": found is not None and found.by_hand,
    }


def health(*, since: datetime) -> list[Health]:
    """Return every kind of call that was made since a moment or has a breaker, by provider, operation and method."""
    with connection.cursor() as cursor:
        cursor.execute(_CALLS, {"first": ids.first_at(since), "too_late": breaker.TOO_LATE})
        called = {Key(*row[:3]): row[3:] for row in cursor.fetchall()}
    breakers = {found.key: found for found in Breaker.objects.all()}
    return [_health(key, breakers.get(key), called.get(key)) for key in sorted(called.keys() | breakers.keys())]


def moves(key: Key, *, limit: int) -> list[BreakerTransition]:
    """Return the latest moves of a breaker, newest first."""
    return list(
        BreakerTransition.objects.filter(
            breaker__provider=key.provider, breaker__operation=key.operation, breaker__method=key.method
        ).order_by("-sequence")[:limit]
    )


def _health(key: Key, found: Breaker | None, row: Sequence[Any] | None) -> Health:
    calls, failed, unknown, p50, p95 = row or (0, 0, 0, None, None)
    return Health(
        key=key,
        state=BreakerState(found.state) if found else BreakerState.CLOSED,
        by_hand=found is not None and found.by_hand,
        opened_at=found.opened_at if found else None,
        probes_from=found.probes_from if found else None,
        calls=calls,
        failed=failed,
        unknown=unknown,
        p50_ms=p50 and round(p50),
        p95_ms=p95 and round(p95),
    )
