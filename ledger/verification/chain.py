"""The chain: every digest recomputed, every link bound to the one before, every transition sealed, every root true."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.files.storage import Storage, storages

from ledger import chain, operations
from ledger.models import ChainLink, ChainRoot
from ledger.sealing_sql import CODES_OF_LINES
from ledger.verification.reading import stream
from paymentops.core.verification import Check

_ROOT_FILE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.json")

_LINKS: Final = f"""
SELECT link.seq, link.digest, link.hash, move.id IS NOT NULL,
       ledger_transition_digest(move, header, ({CODES_OF_LINES})),
       format('link %s (%s)', link.seq, coalesce('ent_' || replace(move.entry_id::text, '-', '') || ' to '
              || move.to_state, 'transition ' || link.transition_id)),
       (SELECT seq FROM ledger_chain_head), (SELECT hash FROM ledger_chain_head)
FROM ledger_chain_link link
LEFT JOIN ledger_entry_transition move ON move.id = link.transition_id
LEFT JOIN ledger_entry header ON header.id = move.entry_id
ORDER BY link.seq
"""  # noqa: S608 - constants only

_NO_LINKS: Final = """
SELECT format('the chain''s head stands at link %s and there is no link', seq)
FROM ledger_chain_head WHERE seq > 0 AND NOT EXISTS (SELECT FROM ledger_chain_link)
"""

_NEVER_SEALED: Final = """
SELECT format('ent_%s: its move to %s was never sealed, and later ones were', replace(move.entry_id::text, '-', ''),
              move.to_state)
FROM ledger_entry_transition move
WHERE move.id <= (SELECT low_id FROM ledger_chain_head)
  AND NOT EXISTS (SELECT FROM ledger_chain_link link WHERE link.transition_id = move.id)
"""

_WAITING: Final = """
SELECT count(*), to_char(min(move.recorded_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')
FROM ledger_entry_transition move
WHERE move.id > coalesce((SELECT low_id FROM ledger_chain_head), 0)
  AND NOT EXISTS (SELECT FROM ledger_chain_link link WHERE link.transition_id = move.id)
"""


def checks(*, roots: Storage | None = None) -> Iterator[Check]:
    """Walk the chain, look for what it misses, and compare the roots with it and with their files.

    Args:
        roots: where the files of roots are; by default the storage ``ledger_roots`` of the settings.
    """
    yield Check.of("ledger.chain_verifies", _walk())
    yield Check.of("ledger.all_sealed", (row[0] for row in stream(_NEVER_SEALED)), note=_waiting())
    yield Check.of("ledger.chain_roots", _roots(roots or storages["ledger_roots"]))


@dataclass(slots=True)
class _Walk:
    """Where a walk along the chain stands.

    ``before`` holds the hashes that the next link may be bound to: the one computed and, where the last link's stored
    hash was another, that one too. So a link that was changed is named alone and the walk goes on behind it.
    """

    seq: int = 0
    before: set[bytes] = field(default_factory=lambda: {chain.GENESIS})

    def step(self, seq: int, *, stored: bytes, kept: bytes, digest: bytes | None, name: str) -> Iterator[str]:
        """Look at the next link: its ``stored`` digest, its ``kept`` hash and the ``digest`` recomputed, if any."""
        gap = seq != self.seq + 1
        if gap:
            yield f"links {self.seq + 1} to {seq - 1} are missing"
        if digest is None:
            yield f"{name}: its transition is gone"
        elif digest != stored:
            yield f"{name}: its transition, entry or accounts differ from what was sealed"
        bound = [
            chain.bind(hash_before, seq=seq, digest=each)
            for hash_before in self.before
            for each in {stored, digest or stored}
        ]
        if not gap and kept not in bound:
            yield f"{name}: its hash does not continue the chain"
            self.before = {chain.bind(hash_before, seq=seq, digest=stored) for hash_before in self.before} | {kept}
        else:
            self.before = {kept}
        self.seq = seq


def _walk() -> Iterator[str]:
    walk = _Walk()
    head: tuple[int | None, bytes] = (None, b"")
    reached_head = False
    for seq, stored, kept, there, digest, name, *at_head in stream(_LINKS):
        head = (at_head[0], _bytes(at_head[1]))
        yield from walk.step(
            seq, stored=_bytes(stored), kept=_bytes(kept), digest=_bytes(digest) if there else None, name=name
        )
        reached_head = reached_head or seq == head[0]
        if seq == head[0] and head[1] not in walk.before:
            yield f"the chain's head does not hold the hash of link {seq}"
        if head[0] is None or seq > head[0]:
            yield f"{name}: stands behind the chain's head"
    if head[0] is not None and not reached_head:
        yield f"the chain's head stands at link {head[0]}, which is missing"
    yield from (row[0] for row in stream(_NO_LINKS))


def _bytes(value: Any) -> bytes:
    return b"" if value is None else bytes(value)


def _waiting() -> str:
    ((waiting, oldest),) = stream(_WAITING)
    return f"{waiting} transitions wait to be sealed, the oldest recorded {oldest}" if waiting else ""


def _roots(storage: Storage) -> Iterator[str]:
    known: set[str] = set()
    for root in ChainRoot.objects.order_by("date").iterator():
        known.add(operations.root_file(root)[0])
        link = ChainLink.objects.filter(seq=root.seq).first()
        if link is None or bytes(link.hash) != bytes(root.hash):
            yield f"root of {root.date}: link {root.seq} has another hash"
        yield from _file_differs(root, storage)
    yield from (f"{name}: tells of a root that the database does not have" for name in sorted(_files(storage) - known))


def _file_differs(root: ChainRoot, storage: Storage) -> Iterator[str]:
    """Compare a root with its file, also one that does not count as written: the mark is in the database too."""
    name, content = operations.root_file(root)
    if not storage.exists(name):
        if root.exported_at is not None:
            yield f"root of {root.date}: its file {name} is gone"
        return
    with storage.open(name) as file:
        found = file.read()
    half_written = root.exported_at is None and content.startswith(found)
    if found != content and not half_written:
        yield f"root of {root.date}: its file {name} says something else"


def _files(storage: Storage) -> set[str]:
    """Return the names of all files of roots; none where the place has not been written to, or tells nobody."""
    try:
        _, names = storage.listdir("")
    except (FileNotFoundError, NotImplementedError):
        return set()
    return {name for name in names if _ROOT_FILE.fullmatch(name)}
