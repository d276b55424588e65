"""Finding what a notification is about."""

from paymentops.core import ids
from paymentops.payments.models import Attempt
from paymentops.payments.models.attempt import AttemptQuerySet
from paymentops.providers import contract
from paymentops.providers.contract import ProviderEvent


def attempt_of(event: ProviderEvent, *, provider: str) -> Attempt | None:
    """Find the attempt: by our key, else by our reference and its operation, the newest first."""
    attempts = Attempt.objects.filter(provider=provider)
    attempt_id = contract.attempt_id_of(event.provider_key)
    if attempt_id is not None:
        return attempts.filter(pk=attempt_id).first()
    if event.operation is None:
        return None
    about = attempts.filter(operation=event.operation).order_by("-id")
    return _by_our_reference(about, event.reference) or _by_their_reference(about, event.provider_reference)


def may_match_later(event: ProviderEvent) -> bool:
    """Tell whether news about nothing we know may be about something that we are about to learn of."""
    return event.operation is not None or carries_our_key(event)


def carries_our_key(event: ProviderEvent) -> bool:
    """Tell whether news names a key of the form that only we make; not to know it means that rows were lost."""
    return contract.attempt_id_of(event.provider_key) is not None


def _by_our_reference(attempts: AttemptQuerySet, reference: str) -> Attempt | None:
    prefix, _, _ = reference.partition("_")
    try:
        if prefix == ids.Prefix.REFUND:
            return attempts.filter(refund=ids.parse(ids.Prefix.REFUND, reference)).first()
        return attempts.filter(payment=ids.parse(ids.Prefix.PAYMENT, reference)).first()
    except ids.UnreadableId:
        return None


def _by_their_reference(attempts: AttemptQuerySet, reference: str) -> Attempt | None:
    """Find by the provider's id of the operation itself, or of the charge that it works on."""
    if not reference:
        return None
    charges = Attempt.objects.filter(operation="AUTHORIZE", provider_reference=reference)
    itself = attempts.filter(provider_reference=reference).first()
    return itself or attempts.filter(payment__in=charges.values("payment")).first()
