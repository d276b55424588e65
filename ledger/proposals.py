"""What people propose to the ledger, as the casework knows it; registered when Django starts."""

from typing import Final

from paymentops.casework.kinds import Kind

JOURNAL: Final = Kind(
    name="ledger.journal",
    title="Manual journal",
    may_propose="ledger.propose_journal",
    may_approve="ledger.approve_journal",
)
REVERSAL: Final = Kind(
    name="ledger.reversal",
    title="Reversal of an entry",
    may_propose="ledger.propose_journal",
    may_approve="ledger.approve_journal",
)
REOPENING: Final = Kind(
    name="ledger.reopening",
    title="Opening a closed month again",
    may_propose="ledger.propose_reopening",
    may_approve="ledger.approve_reopening",
)
KINDS: Final = (JOURNAL, REVERSAL, REOPENING)
