"""Reads of the ledger: balances on two axes, statements, entries of a source and the trial balance.

A balance folds transitions. Entering PENDING adds an entry's lines to the pending balance, leaving it takes them away,
entering POSTED adds them to the posted balance; REVERSED changes nothing, because the reversal is an entry of its own.
``effective_at`` asks what counted by a moment, ``known_at`` what had been recorded by one; without them, all counts.
"""

from ledger.queries.accounts import CheckState, Standing, standings
from ledger.queries.balances import (
    AccountNotFound,
    Balance,
    Change,
    TrialBalance,
    balance_at,
    balances,
    compare_trial_balances,
    trial_balance,
)
from ledger.queries.entries import (
    EntryView,
    LineView,
    TransitionView,
    entries_for_source,
    entries_for_sources,
    view,
    with_story,
)
from ledger.queries.recomputing import Recomputed, recomputed_balances
from ledger.queries.statements import (
    Position,
    Statement,
    StatementLine,
    UnreadablePosition,
    posted_at,
    statement,
    statement_newest_first,
)

__all__ = [
    "AccountNotFound",
    "Balance",
    "Change",
    "CheckState",
    "EntryView",
    "LineView",
    "Position",
    "Recomputed",
    "Standing",
    "Statement",
    "StatementLine",
    "TransitionView",
    "TrialBalance",
    "UnreadablePosition",
    "balance_at",
    "balances",
    "compare_trial_balances",
    "entries_for_source",
    "entries_for_sources",
    "posted_at",
    "recomputed_balances",
    "standings",
    "statement",
    "statement_newest_first",
    "trial_balance",
    "view",
    "with_story",
]
