"""Looking for an earlier payment at the moment of acceptance, for the clients that want to know then."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from paymentops.core import ids
from paymentops.core.errors import Conflict
from paymentops.payments import duplicates_sql, likeness
from paymentops.payments.commands import CreatePayment
from paymentops.payments.likeness import Likeness, Watch


class PossibleDuplicate(Conflict):
    """It looks like an earlier payment of this client; nothing was accepted and the key is free."""

    code = "payment.possible_duplicate"
    title = "This looks like an earlier payment"


def alike_before(
    *, client_id: UUID, watch: Watch, offers: Sequence[tuple[str, CreatePayment, UUID]], now: datetime
) -> dict[int, UUID]:
    """Return by position the earlier payment that each offer looks like and did not name as another one.

    Call it in the transaction of the acceptance: until that ends no other acceptance of a like payment of this client
    goes on, so of two at once the second sees the first. Like offers of one batch count among themselves. An offer
    under a key that was used already is left alone.

    Args:
        client_id: whose.
        watch: how long payments look alike.
        offers: key, command and the id the payment would get.
        now: when.
    """
    likenesses = [of(command) for _, command, _ in offers]
    duplicates_sql.hold(likeness.lock_numbers(client_id, likenesses))
    rows = [_row(number, likenesses[number]) | {"key": key} for number, (key, _, _) in enumerate(offers)]
    beside = duplicates_sql.before_accepting(client_id=client_id, rows=rows, since=now - watch.window)
    found: dict[int, UUID] = {}
    offered: dict[str, UUID] = {}
    firsts: dict[str, int] = {}
    for number, (key, command, payment_id) in enumerate(offers):
        first = firsts.setdefault(key, number)
        if first != number and first in found:
            found[number] = found[first]
        if first != number or beside[number].key_used:
            continue
        names = likenesses[number].names()
        earlier = next((offered[name] for name in names if name in offered), beside[number].earlier)
        if earlier is not None and command.distinct_from != earlier:
            found[number] = earlier
            continue
        offered |= dict.fromkeys(names, payment_id)
    return found


def alike_after(
    *, client_id: UUID, watch: Watch, accepted: Sequence[tuple[CreatePayment, UUID]], now: datetime
) -> dict[UUID, UUID]:
    """Return by payment the newest other one that it looks like, for payments that were just accepted."""
    rows = [
        _row(number, of(command)) | {"payment_id": str(payment_id)}
        for number, (command, payment_id) in enumerate(accepted)
    ]
    found = duplicates_sql.after_accepting(client_id=client_id, rows=rows, since=now - watch.window)
    return {accepted[number][1]: earlier for number, earlier in found.items()}


def refusal(earlier: UUID) -> PossibleDuplicate:
    """Build the refusal that names the earlier payment and how to say that another one is wanted."""
    name = ids.public(ids.Prefix.PAYMENT, earlier)
    return PossibleDuplicate(
        f"{name} has the same amount and the same reference or payer. If another payment is wanted, send the request "
        f"again with distinct_from set to {name}; the key is still free.",
        extra={"payment": name},
    )


def of(command: CreatePayment) -> Likeness:
    """Return what makes a wanted payment look like another one."""
    return Likeness(command.amount, command.reference, command.customer_reference)


def _row(number: int, like: Likeness) -> dict[str, Any]:
    return {
        "number": number,
        "amount": like.amount.minor,
        "currency": like.amount.currency,
        "reference": like.reference,
        "customer_reference": like.customer_reference,
    }
