"""Sealing: transitions are chained and folded into balances in the background, and daily roots leave the database."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import transaction

from ledger import chain, sealing_sql
from ledger.chain import SNAPSHOT_EVERY, Watch
from ledger.models import ChainRoot
from ledger.sealing_sql import Head, Link
from paymentops.core import failpoints
from paymentops.core.failpoints import Point
from paymentops.events import operations as events

LARGEST_ROUND: Final = 5_000
# The chain as the aggregate of its events.
CHAIN_ID: Final = uuid5(NAMESPACE_URL, "urn:paymentops:ledger:chain")


class RootFileDiffers(RuntimeError):
    """The file of a day's root holds something else than the database: one of the two was changed."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one round of sealing did.

    Args:
        links: how many transitions it sealed.
        seq: the chain's last link.
        more: whether another round may find more at once.
    """

    links: int
    seq: int
    more: bool


def seal(*, now: datetime, limit: int = LARGEST_ROUND, snapshot_every: int = SNAPSHOT_EVERY) -> Sealed | None:
    """Seal the next transitions and fold them into balances; ``None`` when somebody else is sealing.

    Args:
        now: when the links are made.
        limit: the most transitions to seal; a round is one short transaction.
        snapshot_every: after how many movements an account gets a snapshot.

    Locks the chain's head and the folded balances it adds to, in account order. Must be called outside a transaction.
    """
    with transaction.atomic(durable=True):
        done = _round(wait=False, limit=limit, every=snapshot_every, now=now)
        failpoints.reach(Point.SEALING_BEFORE_COMMIT)
    failpoints.reach(Point.SEALING_COMMITTED)
    return done


def seal_all(*, now: datetime, limit: int = LARGEST_ROUND) -> Sealed:
    """Seal everything that was committed before the call, waiting for another sealer, and return what it did.

    Raises:
        django.db.OperationalError: another sealer kept the head locked for longer than ``lock_timeout``.
    """
    links = 0
    while True:
        with transaction.atomic(durable=True):
            done = _round(wait=True, limit=limit, every=SNAPSHOT_EVERY, now=now)
        if done is None:
            raise AssertionError("A sealer that waits has the head.")
        links += done.links
        if not done.more:
            return Sealed(links, done.seq, more=False)


def take_root(*, now: datetime) -> ChainRoot | None:
    """Keep the chain's last link as the root of the day (UTC) that ``now`` falls in; once a day.

    Returns ``None`` when the day has its root or nothing is sealed yet. Locks the head. Emits ``ledger.chain_root``.
    """
    date = now.astimezone(UTC).date()
    if ChainRoot.objects.filter(date=date).exists():
        return None
    with transaction.atomic(durable=True):
        head = sealing_sql.lock_head(wait=True)
        if head is None or head.seq == 0 or ChainRoot.objects.filter(date=date).exists():
            return None
        root = ChainRoot.objects.create(date=date, seq=head.seq, hash=head.hash, made_at=now)
        events.record(
            aggregate_type="ledger_chain",
            aggregate_id=CHAIN_ID,
            sequence=date.toordinal(),
            type="ledger.chain_root",
            data={"date": date.isoformat(), "seq": str(root.seq), "hash": root.hash.hex()},
            occurred_at=now,
            now=now,
        )
        failpoints.reach(Point.ROOT_BEFORE_COMMIT)
    return root


def export_roots(*, storage: Storage, now: datetime) -> list[ChainRoot]:
    """Write the roots that have not left the database to files, ``2026-11-22.json``, and return them.

    A file that is there already with the same content counts as written: a process may have died after writing it. One
    that holds only its beginning is written anew: a process died while it wrote.

    Raises:
        RootFileDiffers: see the class.
    """
    waiting = list(ChainRoot.objects.filter(exported_at=None).order_by("date"))
    for root in waiting:
        _export(root, storage)
        failpoints.reach(Point.ROOT_WRITTEN)
        ChainRoot.objects.filter(date=root.date, exported_at=None).update(exported_at=now)
    return waiting


def root_file(root: ChainRoot) -> tuple[str, bytes]:
    """Return the name and the content of a root's file."""
    content = {
        "date": root.date.isoformat(),
        "seq": root.seq,
        "hash": bytes(root.hash).hex(),
        "made_at": root.made_at.astimezone(UTC).isoformat(),
    }
    return f"{root.date.isoformat()}.json", json.dumps(content, indent=2).encode() + b"\n"


def _export(root: ChainRoot, storage: Storage) -> None:
    name, content = root_file(root)
    if not storage.exists(name):
        storage.save(name, ContentFile(content))
        return
    with storage.open(name) as file:
        found = file.read()
    if not content.startswith(found):
        raise RootFileDiffers(f"{name} differs from the root of {root.date} in the database; compare the two.")
    if found != content:
        storage.delete(name)
        storage.save(name, ContentFile(content))


def _round(*, wait: bool, limit: int, every: int, now: datetime) -> Sealed | None:
    """Seal one batch. The newest id must be read before this transaction has an id, see ``Watch.moved_on``."""
    newest_id, low_id, seq = sealing_sql.look()
    if newest_id == low_id:
        return Sealed(0, seq, more=False)
    head = _lock_head(wait=wait)
    if head is None:
        return None
    found = sealing_sql.unsealed(low_id=head.low_id, limit=limit)
    links = _chained(head, found)
    if links:
        sealing_sql.write_links(links, now=now)
        sealing_sql.fold([link.transition_id for link in links], every=every)
    more = len(found) == limit
    before = Watch(head.low_id, head.watch_id, head.watch_xid)
    after = before.moved_on(
        newest_id=newest_id,
        own_xid=head.own_xid,
        oldest_xid=head.oldest_xid,
        sealed_through=found[-1][0] if more else newest_id,
    )
    last = links[-1] if links else head
    if links or after != before:
        sealing_sql.move_head(seq=last.seq, hash=last.hash, watch=after, now=now)
    return Sealed(len(links), last.seq, more)


def _lock_head(*, wait: bool) -> Head | None:
    head = sealing_sql.lock_head(wait=wait)
    if head is None:
        sealing_sql.make_head(chain.GENESIS)
        head = sealing_sql.lock_head(wait=wait)
    return head


def _chained(head: Head, found: list[tuple[int, bytes]]) -> list[Link]:
    links, previous = [], head.hash
    for seq, (transition_id, digest) in zip(count(head.seq + 1), found, strict=False):
        previous = chain.bind(previous, seq=seq, digest=digest)
        links.append(Link(seq, transition_id, digest, previous))
    return links
