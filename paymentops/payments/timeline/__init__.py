"""One payment's story: everything that happened to it, from the request to the last event told, oldest first.

``gather`` reads all rows in a fixed number of queries, however many rows there are; ``tell`` turns them into moments
without a further one. Nothing here shows a payment token or personal data.
"""

from paymentops.payments.models import Payment
from paymentops.payments.timeline.moments import tell, without_people
from paymentops.payments.timeline.record import Record, gather
from paymentops.payments.timeline.values import Fact, Lane, LedgerLine, Moment

__all__ = ["Fact", "Lane", "LedgerLine", "Moment", "Record", "gather", "story", "tell", "without_people"]


def story(payment: Payment) -> list[Moment]:
    """Return everything that happened to a payment, oldest first, in a fixed number of queries."""
    return tell(gather(payment))
