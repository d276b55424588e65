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
KINDS: Final = (OUTCOME,)
