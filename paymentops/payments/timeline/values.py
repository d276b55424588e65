"""What a payment's story is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from paymentops.core.money import Money
from paymentops.payments.models.transitions import Transition

type Fact = str | int | bool | Money | datetime | tuple[LedgerLine, ...]


class Lane(StrEnum):
    """Where a moment comes from. At one and the same time, causes stand before effects: this is their order."""

    REQUEST = "request"
    PERSON = "person"
    PROVIDER = "provider"
    ATTEMPT = "attempt"
    STATE = "state"
    LEDGER = "ledger"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One line of an entry: a signed amount on an account, debit positive."""

    account: str
    account_name: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened.

    Args:
        at: when it happened.
        received_at: when we knew.
        lane: where it comes from.
        title: what happened, in a few words.
        facts: what else is known, by name in plain words; empty values are left out.
        actor: who did it: ``system``, an API client's public id, a person's user name.
        cause: why a state moved, the text that is unique for what moved.
        trace_id: 32 hexadecimal digits, or empty.
        anchor: names the moment within the page, ``ev_…``; never changes.
        raw: the row behind it as JSON values, for engineers.
    """

    at: datetime
    received_at: datetime
    lane: Lane
    title: str
    anchor: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    actor: str = ""
    cause: str = ""
    trace_id: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


def moved(move: Transition, lane: Lane, title: str, facts: Mapping[str, Fact]) -> Moment:
    """Return the moment of a move of any state machine."""
    return Moment(
        at=move.occurred_at,
        received_at=move.recorded_at,
        lane=lane,
        title=title,
        anchor=f"ev_{move.id.hex}",
        actor=move.actor,
        cause=move.cause,
        trace_id=move.trace_id,
        facts=known({**facts, "from": move.from_state, "to": move.to_state, "reason": move.reason}),
        raw={"sequence": move.sequence},
    )


def known(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Leave out what is empty."""
    return {name: fact for name, fact in facts.items() if fact not in ("", ())}
