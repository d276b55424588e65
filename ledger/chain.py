"""The rules of sealing, from values to values: how links are bound, and what a sealer must remember."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

GENESIS: Final = bytes(32)
# An account gets a snapshot for about so many of its movements; a stretch between two is never twice as long.
SNAPSHOT_EVERY: Final = 500


def bind(previous: bytes, *, seq: int, digest: bytes) -> bytes:
    """Return the hash of a link: SHA-256 over the hash before it, its place as eight bytes, and its digest."""
    return sha256(previous + seq.to_bytes(8, "big") + digest).digest()


@dataclass(frozen=True, slots=True)
class Watch:
    """What a sealer must remember because ids are given out in another order than transactions commit.

    Args:
        low_id: up to here every transition is sealed, and no further one can appear.
        newest_id: the next candidate for it, seen before transaction ``xid`` began.
        xid: once every transaction before it has ended, nothing up to ``newest_id`` can appear any more; ``None`` when
            there is no candidate.
    """

    low_id: int
    newest_id: int
    xid: int | None

    def moved_on(self, *, newest_id: int, own_xid: int, oldest_xid: int, sealed_through: int) -> "Watch":
        """Return what to remember after a round of sealing.

        A transition takes its transaction's id before its own: the header or the move of the entry that it must find is
        written first. So a transition up to ``newest_id``, which was visible before transaction ``own_xid`` began,
        belongs to a transaction before ``own_xid``; and once all of those have ended, the round that looks afterwards
        sees every such transition.

        Args:
            newest_id: the largest id visible before the round's own transaction took its id.
            own_xid: that transaction's id.
            oldest_xid: the oldest transaction that still ran when the round locked the head, possibly its own.
            sealed_through: everything visible up to here is sealed by the round or was before.
        """
        fresh = (newest_id, own_xid)
        if oldest_xid >= own_xid:
            return Watch(self._raised(newest_id, sealed_through), *fresh)
        if self.xid is not None and oldest_xid >= self.xid:
            return Watch(self._raised(self.newest_id, sealed_through), *fresh)
        # Transaction ids begin anew when a database is restored from a logical copy.
        if self.xid is None or self.xid > own_xid:
            return Watch(self.low_id, *fresh)
        return self

    def _raised(self, complete_to: int, sealed_through: int) -> int:
        return max(self.low_id, min(complete_to, sealed_through))
