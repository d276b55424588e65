"""Rules of disputes, from values to values: which way leads from state to state, what is newer, where the money is.

Providers tell of a dispute in any order, twice, and not of every step. What is known of it is the fold of all that was
told, in the order in which it happened; its state follows the newest news that its table of moves lets it reach
(SEMANTICS section 2, Dispute).
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from paymentops.core.money import Money
from paymentops.payments.states import DisputeStage, DisputeState, EvidenceState, ReasonClass

S = DisputeState
# Of two ways of the same length the one through what stands first here is taken.
MOVES: Final[Mapping[DisputeState, tuple[DisputeState, ...]]] = MappingProxyType(
    {
        S.INQUIRY: (S.INQUIRY_CLOSED, S.OPEN, S.ACCEPTED),
        S.OPEN: (S.UNDER_REVIEW, S.ACCEPTED, S.LOST, S.WON, S.WITHDRAWN),
        S.UNDER_REVIEW: (S.WON_PROVISIONAL, S.WON, S.LOST, S.OPEN, S.PRE_ARBITRATION, S.WITHDRAWN),
        S.WON_PROVISIONAL: (S.WON, S.OPEN, S.PRE_ARBITRATION),
        S.PRE_ARBITRATION: (S.WON, S.LOST, S.ARBITRATION, S.ACCEPTED, S.WITHDRAWN),
        S.ARBITRATION: (S.WON, S.LOST),
        S.LOST: (S.PRE_ARBITRATION,),
        S.INQUIRY_CLOSED: (),
        S.ACCEPTED: (),
        S.WON: (),
        S.WITHDRAWN: (),
    }
)
# Of news of one moment the one further on counts as the newer; many clocks tell whole seconds only.
_RANK: Final = MappingProxyType(
    {
        state: rank
        for rank, state in enumerate(
            (
                S.INQUIRY,
                S.OPEN,
                S.UNDER_REVIEW,
                S.WON_PROVISIONAL,
                S.PRE_ARBITRATION,
                S.ARBITRATION,
                S.INQUIRY_CLOSED,
                S.ACCEPTED,
                S.WITHDRAWN,
                S.LOST,
                S.WON,
            )
        )
    }
)
_STAGES: Final = tuple(DisputeStage)
_STAGE_OF: Final = MappingProxyType(
    {
        S.INQUIRY: DisputeStage.INQUIRY,
        S.INQUIRY_CLOSED: DisputeStage.INQUIRY,
        S.PRE_ARBITRATION: DisputeStage.PRE_ARBITRATION,
        S.ARBITRATION: DisputeStage.ARBITRATION,
    }
)


class Position(StrEnum):
    """Where the disputed amount is: with us, withheld by the provider, or lost."""

    OURS = "OURS"
    WITHHELD = "WITHHELD"
    LOST = "LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What one notification told; ``None`` and empty text mean that it did not tell."""

    event_id: str
    occurred_at: datetime
    state: DisputeState | None
    stage: DisputeStage | None
    amount: Money
    fee: Money | None
    reason_code: str
    reason_class: ReasonClass | None
    evidence_due_at: datetime | None
    evidence: EvidenceState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a dispute after all that was told."""

    amount: Money
    stage: DisputeStage = DisputeStage.INQUIRY
    fee: Money | None = None
    reason_code: str = ""
    reason_class: ReasonClass = ReasonClass.OTHER
    evidence_due_at: datetime | None = None
    evidence: EvidenceState = EvidenceState.NONE


def facts(tellings: Iterable[Telling]) -> Facts:
    """Fold all that was told, at least one thing, whatever order it came in: the newest that tells of a thing counts.

    Evidence belongs to its deadline: a new deadline asks for new evidence. The stage is the furthest one reached.
    """
    first, *others = sorted(tellings, key=_place)
    known = Facts(amount=first.amount)
    for told in (first, *others):
        is_new_round = told.evidence_due_at is not None and told.evidence_due_at != known.evidence_due_at
        known = Facts(
            stage=max(known.stage, _stage(told), key=_STAGES.index),
            amount=told.amount,
            fee=told.fee if told.fee is not None else known.fee,
            reason_code=told.reason_code or known.reason_code,
            reason_class=told.reason_class or known.reason_class,
            evidence_due_at=told.evidence_due_at or known.evidence_due_at,
            evidence=_evidence(told) or (EvidenceState.NONE if is_new_round else known.evidence),
        )
    return known


def first_state(told: Telling) -> DisputeState:
    """Return the state in which a dispute begins that we first hear of by this news."""
    if told.state is S.INQUIRY or told.state is S.INQUIRY_CLOSED:
        return S.INQUIRY
    return S.INQUIRY if _stage(told) is DisputeStage.INQUIRY else S.OPEN


def is_newer(told: Telling, *, than_at: datetime, than: DisputeState) -> bool:
    """Tell whether news count against a state that was told at a moment."""
    return told.state is not None and (told.occurred_at, _RANK[told.state]) > (than_at, _RANK[than])


def way(before: DisputeState, after: DisputeState) -> tuple[DisputeState, ...] | None:
    """Return the states on the shortest way to one, it included; ``None`` where no move leads there."""
    ways: dict[DisputeState, tuple[DisputeState, ...]] = {before: ()}
    to_visit = deque([before])
    while to_visit and after not in ways:
        here = to_visit.popleft()
        for following in MOVES[here]:
            if following not in ways:
                ways[following] = (*ways[here], following)
                to_visit.append(following)
    return ways.get(after)


def position(state: DisputeState, stage: DisputeStage) -> Position:
    """Tell where the disputed amount is. An inquiry took nothing, so accepting one leaves nothing withheld to lose."""
    match state:
        case S.OPEN | S.UNDER_REVIEW | S.PRE_ARBITRATION | S.ARBITRATION:
            return Position.WITHHELD
        case S.LOST:
            return Position.LOST
        case S.ACCEPTED if stage is not DisputeStage.INQUIRY:
            return Position.LOST
        case _:
            return Position.OURS


def _place(told: Telling) -> tuple[datetime, int, str]:
    return told.occurred_at, -1 if told.state is None else _RANK[told.state], told.event_id


def _stage(told: Telling) -> DisputeStage:
    if told.stage is not None:
        return told.stage
    if told.state is None:
        return DisputeStage.INQUIRY
    return _STAGE_OF.get(told.state, DisputeStage.CHARGEBACK)


def _evidence(told: Telling) -> EvidenceState | None:
    if told.evidence is None and told.state is S.UNDER_REVIEW:
        return EvidenceState.SUBMITTED
    return told.evidence
