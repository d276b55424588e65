"""A clock that can be set: it tells the story's time to the operations, which never read one themselves."""

import time
from datetime import datetime, timedelta
from random import Random
from typing import Final

# Each look at the clock costs the story a moment: what an answer takes, and less than a call may take.
_SHORTEST_SECONDS: Final = 0.04
_LONGEST_SECONDS: Final = 0.32
# Whoever looked away for most of the time that a call may take has waited for one in vain.
_IN_VAIN: Final = 0.75


class StoryClock:
    """Call it for the story's present moment, which moves on a little each time, however slow the machine is.

    Args:
        at: where the story begins.
        call_seconds: how long a call that gets no answer is waited for in truth.
        call_lasts: how long that is in the story.
    """

    def __init__(self, *, at: datetime, call_seconds: float, call_lasts: timedelta) -> None:
        self.at = at
        self._call_seconds = call_seconds
        self._call_lasts = call_lasts
        self._moments = Random(0)  # noqa: S311 - a story, not a secret
        self._looked = time.monotonic()

    def __call__(self) -> datetime:
        """Return the story's present moment and let time pass."""
        away = time.monotonic() - self._looked
        if away >= self._call_seconds * _IN_VAIN:
            self.at += self._call_lasts
        else:
            self.at += timedelta(seconds=self._moments.uniform(_SHORTEST_SECONDS, _LONGEST_SECONDS))
        self._looked = time.monotonic()
        return self.at

    def move_to(self, at: datetime) -> None:
        """Jump forward to a moment; one that has passed already changes nothing."""
        self.at = max(at, self.at)
        self._looked = time.monotonic()
