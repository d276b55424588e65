"""Reads about circuit breakers: what calls say, and who would hold something back."""

from datetime import datetime

from django.db.models import Case, Count, Value, When

from paymentops.core import ids
from paymentops.payments import breaker
from paymentops.payments.breaker import Key, Tally
from paymentops.payments.models import Breaker, ProviderCall
from paymentops.providers.contract import Method, Operation


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
