"""What opens incidents by itself, and what makes two reports the same incident. No database, no clock."""

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final

import rfc8785

from paymentops.incidents.states import Severity

ENGINEERING: Final = "Engineering"
FINANCE: Final = "Finance"


@dataclass(frozen=True, slots=True)
class Dimensions:
    """What an incident is about. All of it is part of the fingerprint; ids, messages and times are not.

    Args:
        provider: ``stripe``, or empty where it is about no provider.
        method: ``card``.
        operation: ``AUTHORIZE``, or the part of the system that failed.
        failure_class: the class of the failure, one of a closed set of the rule.
        currency: ISO 4217 code.
    """

    provider: str = ""
    method: str = ""
    operation: str = ""
    failure_class: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason for an incident.

    Args:
        name: stable; part of the fingerprint.
        title: what people read.
        severity: how bad it is when nobody says otherwise.
        team: who answers for it from the first moment, by the team's name.
    """

    name: str
    title: str
    severity: Severity
    team: str


LATE_EVIDENCE: Final = Rule("payment.late_evidence", "Late evidence changed a final state", Severity.SEV2, ENGINEERING)
EXCESS_EVIDENCE: Final = Rule(
    "payment.evidence_without_room", "A provider proves more than a payment has room for", Severity.SEV1, ENGINEERING
)
EXCESS_PAID: Final = Rule("payment.excess_paid", "A payer sent more than was asked for", Severity.SEV2, FINANCE)
OUTCOME_OVERDUE: Final = Rule(
    "payment.outcome_overdue", "Outcomes stay unknown for too long", Severity.SEV3, ENGINEERING
)
OUTCOME_PAST_CUT_OFF: Final = Rule(
    "payment.outcome_past_cut_off", "Unknown outcomes wait for the decision of two people", Severity.SEV2, FINANCE
)
DECISION_CONTRADICTED: Final = Rule(
    "payment.decision_contradicted", "A provider says otherwise than two people decided", Severity.SEV1, FINANCE
)
DUPLICATE_AT_PROVIDER: Final = Rule(
    "payment.duplicate_at_provider", "A provider charged one payment more than once", Severity.SEV1, ENGINEERING
)
CAPTURE_REVERSED: Final = Rule("payment.capture_reversed", "A provider took a capture back", Severity.SEV2, FINANCE)
CAPTURE_OVERDRAWN: Final = Rule(
    "payment.capture_overdrawn", "A provider took a capture back that was refunded", Severity.SEV1, FINANCE
)
REFUND_REVERSED: Final = Rule("refund.reversed", "A refund came back", Severity.SEV3, FINANCE)
DISPUTE_INQUIRY: Final = Rule("dispute.inquiry", "Payers' banks ask about charges", Severity.SEV4, FINANCE)
DISPUTE_OPENED: Final = Rule("dispute.opened", "Payers dispute charges", Severity.SEV3, FINANCE)
DISPUTE_SECOND: Final = Rule("dispute.second_chargeback", "A charge is disputed a second time", Severity.SEV2, FINANCE)
DISPUTE_DUE: Final = Rule("dispute.evidence_due", "Evidence for disputes is due soon", Severity.SEV3, FINANCE)
DISPUTE_MISSED: Final = Rule("dispute.evidence_missed", "No evidence was sent in time", Severity.SEV2, FINANCE)
DISPUTE_EXCESS: Final = Rule("dispute.excess", "A dispute takes more than its payment has left", Severity.SEV2, FINANCE)
DISPUTE_UNLINKED: Final = Rule("dispute.unlinked", "A dispute is about a charge we do not know", Severity.SEV2, FINANCE)
DISPUTE_CONTRADICTED: Final = Rule(
    "dispute.contradicted", "A dispute that had ended is told of otherwise", Severity.SEV2, FINANCE
)
GAVE_UP: Final = Rule("payment.gave_up", "Something asked for was given up", Severity.SEV3, ENGINEERING)
DEAD_LETTER: Final = Rule("events.dead_letter", "Something could not be handled", Severity.SEV2, ENGINEERING)
BALANCE_DRIFTED: Final = Rule(
    "ledger.balance_drifted", "A stored balance differs from its lines", Severity.SEV1, FINANCE
)
BREAKER_OPENED: Final = Rule("breaker.opened", "A provider fails: its breaker is open", Severity.SEV2, ENGINEERING)

_KNOWN: Final = {
    rule.name: rule
    for rule in (
        LATE_EVIDENCE,
        EXCESS_EVIDENCE,
        EXCESS_PAID,
        DUPLICATE_AT_PROVIDER,
        OUTCOME_OVERDUE,
        OUTCOME_PAST_CUT_OFF,
        DECISION_CONTRADICTED,
        CAPTURE_REVERSED,
        CAPTURE_OVERDRAWN,
        REFUND_REVERSED,
        DISPUTE_INQUIRY,
        DISPUTE_OPENED,
        DISPUTE_SECOND,
        DISPUTE_DUE,
        DISPUTE_MISSED,
        DISPUTE_EXCESS,
        DISPUTE_UNLINKED,
        DISPUTE_CONTRADICTED,
        GAVE_UP,
        DEAD_LETTER,
        BALANCE_DRIFTED,
        BREAKER_OPENED,
    )
}


def named(name: str) -> Rule:
    """Return the rule of a name; one that another room made up is engineering's, SEV3."""
    return _KNOWN.get(name) or Rule(name, name.replace("_", " ").replace(".", ": "), Severity.SEV3, ENGINEERING)


def fingerprint(*, rule: str, dimensions: Dimensions) -> str:
    """Return the hexadecimal SHA-256 under which reports of the same trouble meet (SEMANTICS section 7)."""
    return sha256(rfc8785.dumps({"rule": rule, **asdict(dimensions)})).hexdigest()
