"""What people propose about payments, as the casework knows it; registered when Django starts."""

from typing import Final

from paymentops.casework.kinds import Kind

# The subject of a proposal about one attempt, beside its public id.
SUBJECT_TYPE: Final = "attempt"
OUTCOME: Final = Kind(
    name="payments.outcome",
    title="What became of an attempt",
    may_propose="payments.propose_outcome",
    may_approve="payments.approve_outcome",
)
# The subject of a proposal about a breaker, beside its key.
BREAKER_SUBJECT: Final = "breaker"
BREAKER_OPENING: Final = Kind(
    name="payments.breaker_opening",
    title="Holding a circuit breaker open",
    may_propose="payments.propose_breaker",
    may_approve="payments.approve_breaker",
)
BREAKER_CLOSING: Final = Kind(
    name="payments.breaker_closing",
    title="Closing a circuit breaker",
    may_propose="payments.propose_breaker",
    may_approve="payments.approve_breaker",
)
REFUND: Final = Kind(
    name="payments.refund",
    title="Refund over the limit",
    may_propose="payments.propose_refund",
    may_approve="payments.approve_refund",
)
KINDS: Final = (OUTCOME, BREAKER_OPENING, BREAKER_CLOSING, REFUND)
