"""A clock that can be set: it tells the story's time to the operations, which never read one themselves."""

import time
from datetime import datetime, timedelta


class StoryClock:
    """Call it for the story's present moment. From where it was set it runs ``speed`` times as fast as real time.

    With a provider that is waited for a fraction of the usual time, the matching speed makes a call that times out
    last in the story as long as it would in truth.
    """

    def __init__(self, *, at: datetime, speed: float) -> None:
        self._at = at
        self._speed = speed
        self._set = time.monotonic()

    def __call__(self) -> datetime:
        """Return the story's present moment."""
        return self._at + timedelta(seconds=self._speed * (time.monotonic() - self._set))

    def move_to(self, at: datetime) -> None:
        """Jump forward to a moment; one that has passed already changes nothing."""
        self._at = max(at, self())
        self._set = time.monotonic()
