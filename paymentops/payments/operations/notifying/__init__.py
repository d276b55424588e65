"""What providers tell us unasked: kept raw, read, counted once, then recorded like any other answer.

``deliveries`` keeps the bytes of a request and works them off, whatever happens in between; ``news`` says which kind of
news goes where; ``matching`` finds what news is about.
"""

from paymentops.payments.operations.notifying.deliveries import NewsNotApplied, prune, receive, replay, work_off

__all__ = ["NewsNotApplied", "prune", "receive", "replay", "work_off"]
