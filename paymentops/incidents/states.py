"""The closed sets of the room: severities, states and the moves between them (SEMANTICS section 7)."""

from typing import Final

from django.db import models


class Severity(models.TextChoices):
    """How bad it is; the texts sort from worst to least."""

    SEV1 = "SEV1", "SEV1: money wrong or possibly wrong"
    SEV2 = "SEV2", "SEV2: service broken"
    SEV3 = "SEV3", "SEV3: degraded"
    SEV4 = "SEV4", "SEV4: information"


class State(models.TextChoices):
    """Where an incident stands."""

    OPEN = "OPEN", "open"
    ACKNOWLEDGED = "ACKNOWLEDGED", "acknowledged"
    MITIGATING = "MITIGATING", "mitigating"
    MONITORING = "MONITORING", "monitoring"
    RESOLVED = "RESOLVED", "resolved"
    CLOSED = "CLOSED", "closed"
    SUPPRESSED = "SUPPRESSED", "suppressed"
    MERGED = "MERGED", "merged"


# Somebody has to work on these; an incident without an owner in one of them escalates.
WORKED_ON: Final = (State.OPEN, State.ACKNOWLEDGED, State.MITIGATING, State.MONITORING)
# What fires again is folded into these; there is at most one of them per fingerprint.
UNFINISHED: Final = (*WORKED_ON, State.RESOLVED, State.SUPPRESSED)
FINISHED: Final = (State.CLOSED, State.MERGED)

# Every move there is; the model declares the same, and verification folds the stored moves with these.
MOVES: Final = (
    ("", State.OPEN),
    (State.OPEN, State.ACKNOWLEDGED),
    (State.ACKNOWLEDGED, State.OPEN),
    (State.ACKNOWLEDGED, State.MITIGATING),
    (State.MITIGATING, State.MONITORING),
    (State.MONITORING, State.MITIGATING),
    (State.MONITORING, State.RESOLVED),
    (State.RESOLVED, State.OPEN),
    (State.RESOLVED, State.CLOSED),
    (State.SUPPRESSED, State.OPEN),
    *((source, State.SUPPRESSED) for source in WORKED_ON),
    *((source, State.MERGED) for source in UNFINISHED),
)
