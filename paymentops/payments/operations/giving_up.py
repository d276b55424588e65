"""What is given up waits for a person: a dead letter with an owner and a reason, from which an incident opens."""

from datetime import datetime
from typing import Final

from paymentops.core import ids
from paymentops.core.errors import Conflict
from paymentops.events import operations as events
from paymentops.payments.models import Attempt, Payment

KIND: Final = "attempt"
_OWNER: Final = "Engineering"


class StillOpen(Conflict):
    """An attempt that was given up is open again, so its dead letter cannot be closed."""

    code = "payment.attempt_open"
    title = "The attempt is not finished"


def record(payment: Payment, attempt: Attempt, *, reason: str, now: datetime) -> None:
    """Note that an attempt was given up for technical reasons; an authorisation that was cancelled is no loss.

    Emits ``events.dead_letter_made``.
    """
    if attempt.operation == "AUTHORIZE" and payment.cancel_requested_at is not None:
        return
    events.bury(
        source=f"{KIND}:{attempt.provider}",
        reference=attempt.public_id,
        reason=f"{attempt.operation.capitalize()} of {payment.public_id}: {reason}",
        owner=_OWNER,
        attempts=attempt.dispatches,
        now=now,
    )


def handle_again(*, source: str, reference: str, now: datetime) -> None:  # noqa: ARG001 - the registry's call
    """Let a person close the letter: what was given up is never sent again, so all that counts is that it has ended.

    Raises:
        StillOpen: the attempt is open.
    """
    attempt = Attempt.objects.get(pk=ids.parse(ids.Prefix.ATTEMPT, reference))
    if attempt.is_open:
        raise StillOpen(f"The attempt is {attempt.get_state_display()}; wait for its end.")
