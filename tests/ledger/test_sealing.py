"""Sealing: every committed transition gets one link, in one chain, whatever happens meanwhile."""

import os
import subprocess
import sys
import time
from threading import Event, Thread
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.db import IntegrityError, connection, transaction

from ledger import chain, postings, verification
from ledger import operations as ledger
from ledger.chain import Watch
from ledger.models import ChainHead, ChainLink, ChainRoot, EntryTransition, Movement
from paymentops.events.models import OutboxEvent
from tests.ledger.books import PARTIES, START, day, eur, post, run
from tests.ledger.test_faults import at_once

WRITERS = 8


def sell(minor: int = 100) -> UUID:
    return post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(minor))).pk


def hold() -> UUID:
    return post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(100))).pk


def sealed_ids() -> list[int]:
    return list(ChainLink.objects.order_by("seq").values_list("transition_id", flat=True))


def caught_up() -> bool:
    """Seal until nothing older can appear; a writer of any other database of this server holds that back meanwhile."""
    for _ in range(500):
        ledger.seal(now=START)
        if ChainHead.objects.get().low_id == max(sealed_ids()):
            return True
        time.sleep(0.02)
    return False


def broken() -> dict[str, list[str]]:
    parts = (verification.entries, verification.chain, verification.balances)
    return {check.name: check.violations for part in parts for check in part.checks() if not check.ok}


@pytest.mark.django_db
def test_every_transition_gets_a_link_bound_to_the_one_before() -> None:
    entry = hold()
    ledger.settle(entry, cause="captured", occurred_at=day(1), now=day(1))
    assert ledger.seal(now=day(2)) == ledger.Sealed(links=2, seq=2, more=False)
    first, second = ChainLink.objects.order_by("seq")
    assert bytes(first.hash) == chain.bind(chain.GENESIS, seq=1, digest=bytes(first.digest))
    assert bytes(second.hash) == chain.bind(bytes(first.hash), seq=2, digest=bytes(second.digest))
    assert bytes(ChainHead.objects.get().hash) == bytes(second.hash)
    assert [first.transition.to_state, second.transition.to_state] == ["PENDING", "POSTED"]


@pytest.mark.django_db
def test_a_round_seals_no_more_than_its_limit_and_says_that_there_is_more() -> None:
    for _ in range(5):
        sell()
    assert ledger.seal(limit=3, now=START) == ledger.Sealed(links=3, seq=3, more=True)
    assert ledger.seal(limit=3, now=START) == ledger.Sealed(links=2, seq=5, more=False)
    assert ledger.seal(limit=3, now=START) == ledger.Sealed(links=0, seq=5, more=False)


@pytest.mark.django_db
def test_nothing_to_seal_makes_nothing() -> None:
    assert ledger.seal(now=START) == ledger.Sealed(links=0, seq=0, more=False)
    assert ledger.seal_all(now=START) == ledger.Sealed(links=0, seq=0, more=False)
    assert ledger.take_root(now=START) is None


@pytest.mark.django_db
def test_sealing_all_takes_as_many_rounds_as_it_needs() -> None:
    for _ in range(5):
        sell()
    assert ledger.seal_all(limit=2, now=START) == ledger.Sealed(links=5, seq=5, more=False)
    assert broken() == {}


@pytest.mark.django_db
@pytest.mark.parametrize("write", ["UPDATE {} SET hash = ''", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("table", ["ledger_chain_link", "ledger_chain_root"])
def test_the_chain_is_written_once(table: str, write: str) -> None:
    sell()
    ledger.seal(now=START)
    ledger.take_root(now=START)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="is refused"), transaction.atomic():
        run(write.format(table))


@pytest.mark.django_db
def test_the_head_cannot_be_taken_away() -> None:
    sell()
    ledger.seal(now=START)
    for write in ("DELETE FROM ledger_chain_head", "TRUNCATE ledger_chain_head", "UPDATE ledger_chain_head SET id = 2"):
        with pytest.raises(IntegrityError), transaction.atomic():
            run(write)


@pytest.mark.django_db(transaction=True)
def test_while_one_seals_another_does_nothing() -> None:
    sell()
    ledger.seal(now=START)
    sell()
    locked, done = Event(), Event()

    def hold_the_head() -> None:
        with transaction.atomic():
            ChainHead.objects.select_for_update().get()
            locked.set()
            done.wait(timeout=10)
        connection.close()

    other = Thread(target=hold_the_head)
    other.start()
    assert locked.wait(timeout=10)
    assert ledger.seal(now=START) is None
    done.set()
    other.join()
    assert ledger.seal(now=START) == ledger.Sealed(links=1, seq=2, more=False)


@pytest.mark.django_db(transaction=True)
def test_the_first_sealers_of_all_make_one_head() -> None:
    for _ in range(4):
        sell()
    outcomes = at_once(*[lambda: ledger.seal(now=START)] * 4)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    ledger.seal_all(now=START)
    assert (ChainHead.objects.count(), sealed_ids()) == (1, sorted(sealed_ids()))
    assert ChainLink.objects.count() == 4
    assert broken() == {}


@pytest.mark.django_db(transaction=True)
def test_a_transition_that_commits_after_later_ones_is_sealed_later_and_not_lost() -> None:
    sell()
    written, go_on = Event(), Event()
    late: list[int] = []

    def write_and_wait() -> None:
        with transaction.atomic():
            entry = sell(7)
            late.append(EntryTransition.objects.get(entry_id=entry).pk)
            written.set()
            go_on.wait(timeout=10)
        connection.close()

    other = Thread(target=write_and_wait)
    other.start()
    assert written.wait(timeout=10)
    sell()
    for _ in range(3):
        ledger.seal(now=START)
    head = ChainHead.objects.get()
    assert (head.seq, late[0] in sealed_ids()) == (2, False)
    assert head.low_id < late[0] < max(sealed_ids())
    go_on.set()
    other.join()
    assert ledger.seal(now=START) == ledger.Sealed(links=1, seq=3, more=False)
    assert sealed_ids()[-1] == late[0]
    assert caught_up()
    assert broken() == {}


@pytest.mark.django_db(transaction=True)
def test_writers_and_sealers_at_once_leave_one_dense_chain() -> None:
    each = 12

    def write() -> None:
        for number in range(each):
            if number % 3:
                sell(number + 1)
            else:
                ledger.void(hold(), cause="released", occurred_at=START, now=START)

    def seal() -> None:
        for _ in range(each):
            ledger.seal(limit=7, now=START, snapshot_every=3)

    outcomes = at_once(*[write] * WRITERS, *[seal] * 2)
    assert outcomes == [None] * (WRITERS + 2)
    ledger.seal_all(now=START)
    assert list(ChainLink.objects.order_by("seq").values_list("seq", flat=True)) == list(
        range(1, EntryTransition.objects.count() + 1)
    )
    assert sorted(sealed_ids()) == list(EntryTransition.objects.order_by("id").values_list("id", flat=True))
    assert broken() == {}


DIE_BEFORE_COMMIT = """
import os, signal, django
django.setup()
from django.db import connections
from ledger import operations
from ledger.models import ChainLink
from tests.ledger.books import START
def killed(self):
    assert ChainLink.objects.count() == 1
    os.kill(os.getpid(), signal.SIGKILL)
type(connections["default"])._commit = killed
operations.seal(now=START)
"""


@pytest.mark.django_db(transaction=True)
def test_a_sealer_killed_between_links_and_commit_leaves_nothing_half_done() -> None:
    sell()
    there = connection.settings_dict
    address = f"postgresql://{there['USER']}:{there['PASSWORD']}@{quote(there['HOST'], safe='')}"
    address += f":{there['PORT']}/{there['NAME']}" if there["PORT"] else f"/{there['NAME']}"
    done = subprocess.run(
        [sys.executable, "-c", DIE_BEFORE_COMMIT],
        env={**os.environ, "DATABASE_URL": address},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9, done.stderr.decode()
    assert (ChainLink.objects.count(), Movement.objects.count()) == (0, 0)
    assert ledger.seal(now=START) == ledger.Sealed(links=1, seq=1, more=False)
    assert broken() == {}


@pytest.mark.django_db
def test_a_day_has_one_root_which_leaves_as_an_event() -> None:
    sell()
    ledger.seal(now=START)
    root = ledger.take_root(now=START)
    assert root is not None
    assert (root.seq, bytes(root.hash)) == (1, bytes(ChainLink.objects.get().hash))
    sell()
    ledger.seal(now=START)
    assert ledger.take_root(now=START) is None
    next_root = ledger.take_root(now=day(1))
    assert next_root is not None
    assert next_root.seq == 2
    events = OutboxEvent.objects.filter(type="ledger.chain_root").order_by("sequence")
    assert [event.data["hash"] for event in events] == [root.hash.hex(), next_root.hash.hex()]


@pytest.mark.django_db
def test_roots_are_exported_once_and_a_file_that_is_there_already_counts() -> None:
    sell()
    ledger.seal(now=START)
    root = ledger.take_root(now=START)
    assert root is not None
    storage = InMemoryStorage()
    name, content = ledger.root_file(root)
    storage.save(name, ContentFile(content))
    assert ledger.export_roots(storage=storage, now=day(1)) == [root]
    assert ledger.export_roots(storage=storage, now=day(2)) == []
    assert ChainRoot.objects.get().exported_at == day(1)
    assert storage.listdir("")[1] == ["2026-01-05.json"]


@pytest.mark.django_db
@pytest.mark.parametrize("written", [0, 20])
def test_a_file_left_unfinished_by_a_process_that_died_is_written_anew(written: int) -> None:
    sell()
    ledger.seal(now=START)
    root = ledger.take_root(now=START)
    assert root is not None
    storage = InMemoryStorage()
    name, content = ledger.root_file(root)
    storage.save(name, ContentFile(content[:written]))
    assert ledger.export_roots(storage=storage, now=day(1)) == [root]
    assert storage.listdir("")[1] == [name]
    assert storage.open(name).read() == content


@pytest.mark.django_db
def test_a_root_whose_file_says_something_else_is_not_exported() -> None:
    sell()
    ledger.seal(now=START)
    ledger.take_root(now=START)
    storage = InMemoryStorage()
    storage.save("2026-01-05.json", ContentFile(b"{}"))
    with pytest.raises(ledger.RootFileDiffers, match=r"2026-01-05\.json differs"):
        ledger.export_roots(storage=storage, now=day(1))
    assert ChainRoot.objects.get().exported_at is None


def test_what_is_complete_is_known_only_once_older_transactions_have_ended() -> None:
    first = Watch(low_id=0, newest_id=0, xid=None).moved_on(newest_id=9, own_xid=50, oldest_xid=48, sealed_through=9)
    assert first == Watch(low_id=0, newest_id=9, xid=50)
    still = first.moved_on(newest_id=12, own_xid=60, oldest_xid=49, sealed_through=12)
    assert still == first
    ended = still.moved_on(newest_id=15, own_xid=70, oldest_xid=50, sealed_through=15)
    assert ended == Watch(low_id=9, newest_id=15, xid=70)


def test_alone_a_round_completes_what_it_saw() -> None:
    alone = Watch(low_id=0, newest_id=0, xid=None).moved_on(newest_id=9, own_xid=50, oldest_xid=50, sealed_through=9)
    assert alone.low_id == 9
    part = Watch(low_id=0, newest_id=0, xid=None).moved_on(newest_id=9, own_xid=50, oldest_xid=50, sealed_through=4)
    assert part.low_id == 4


def test_a_watch_from_before_a_restore_is_forgotten() -> None:
    old = Watch(low_id=9, newest_id=20, xid=1_000_000)
    assert old.moved_on(newest_id=21, own_xid=70, oldest_xid=60, sealed_through=21) == Watch(9, 21, 70)
