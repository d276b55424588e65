"""The states of an ingest run."""

from typing import Final

from django.db import models


class RunState(models.TextChoices):
    """Where the reading of a statement file stands."""

    RECEIVED = "RECEIVED", "received"
    PARSING = "PARSING", "parsing"
    PARSED = "PARSED", "parsed"
    REFUSED = "REFUSED", "refused"
    FAILED = "FAILED", "failed"


FINISHED: Final = (RunState.PARSED, RunState.REFUSED)
