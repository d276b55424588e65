"""Many writers at once, and writers that die: the books stay whole."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection, transaction

from ledger import chart, postings, verification
from ledger import operations as ledger
from ledger.models import Account, Entry, EntryTransition, Line, State
from ledger.postings import Posting, PostingLine, Source
from tests.ledger.books import PARTIES, START, eur, post, posted, run

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 8


def at_once(*works: Callable[[], object]) -> list[object]:
    """Run each work in a thread with its own connection, all starting together; return results and exceptions."""
    start = Barrier(len(works))

    def one(work: Callable[[], object]) -> object:
        try:
            start.wait(timeout=10)
            return work()
        except Exception as error:  # noqa: BLE001 - the outcome of a writer is what the test is about
            return error
        finally:
            connection.close()

    connection.close()
    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


def database_address() -> str:
    """Return the address of this test's database, for a process of its own."""
    there = connection.settings_dict
    address = f"postgresql://{there['USER']}:{there['PASSWORD']}@{quote(there['HOST'], safe='')}"
    return address + (f":{there['PORT']}/{there['NAME']}" if there["PORT"] else f"/{there['NAME']}")


def all_agree() -> bool:
    return all(check.ok for check in verification.checks())


def test_two_posts_racing_for_one_source_make_one_entry() -> None:
    posting = postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100))
    made = at_once(*[lambda: post(posting)] * WRITERS)
    assert made == [Entry.objects.get()] * WRITERS
    assert (Line.objects.count(), EntryTransition.objects.count()) == (2, 1)


def test_two_posts_racing_for_one_source_with_other_lines_make_one_entry() -> None:
    payment = uuid4()
    made = at_once(
        *[
            lambda amount=amount: post(postings.sold(payment_id=payment, parties=PARTIES, amount=eur(amount)))
            for amount in (100, 200)
        ]
    )
    assert sorted(type(outcome).__name__ for outcome in made) == ["Entry", "SourceReused"]
    assert Entry.objects.count() == 1


def test_a_pending_entry_settled_and_voided_at_once_ends_in_one_state() -> None:
    hold = post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(100)))
    moves = [ledger.settle, ledger.void] * (WRITERS // 2)
    made = at_once(
        *[
            lambda move=move, number=number: move(hold.pk, cause=f"writer {number}", occurred_at=START, now=START)
            for number, move in enumerate(moves)
        ]
    )
    assert [type(outcome).__name__ for outcome in made].count("Entry") == 1
    assert hold.transitions.count() == 2
    assert all_agree()


def test_an_entry_reversed_from_everywhere_is_reversed_once() -> None:
    sale = post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    made = at_once(
        *[
            lambda number=number: ledger.reverse(sale.pk, cause=f"writer {number}", occurred_at=START, now=START)
            for number in range(WRITERS)
        ]
    )
    assert sorted({type(outcome).__name__ for outcome in made}) == ["Entry", "EntryNotInState"]
    assert Entry.objects.count() == 2
    assert posted() == {}
    assert all_agree()


def guarded_posting(*, forwards: bool, source_id: UUID) -> Posting:
    """Build an entry over three guarded and one other account, its lines in one order or the other."""
    lines = [PostingLine(chart.account(number, "EUR"), -1) for number in ("2020", "2030", "2090")]
    lines.append(PostingLine(chart.account("1290", "EUR"), 3))
    ordered = tuple(lines if forwards else reversed(lines))
    return Posting(Source("test", source_id, "guarded"), State.POSTED, ordered)


def test_writers_that_take_accounts_in_opposite_orders_do_not_deadlock() -> None:
    def write(forwards: bool) -> None:
        for _ in range(15):
            post(guarded_posting(forwards=forwards, source_id=uuid4()))

    outcomes = at_once(*[lambda forwards=bool(number % 2): write(forwards) for number in range(WRITERS)])
    assert outcomes == [None] * WRITERS
    each = 15 * WRITERS
    assert posted() == {"1290": 3 * each, "2020": -each, "2030": -each, "2090": -each}
    assert Account.objects.count() == 4
    assert all_agree()


def test_batches_that_hold_the_same_sources_in_opposite_orders_do_not_deadlock() -> None:
    batch = [postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(number + 1)) for number in range(60)]

    def write(items: list[Posting]) -> list[UUID]:
        return ledger.post_many(items, occurred_at=START, now=START, cause="batch")

    outcomes = at_once(*[lambda items=batch if number % 2 else batch[::-1]: write(items) for number in range(WRITERS)])
    assert [len(outcome) for outcome in outcomes] == [60] * WRITERS
    assert Entry.objects.count() == 60
    assert all_agree()


def test_a_connection_lost_between_insert_and_commit_leaves_nothing() -> None:
    def write() -> None:
        with transaction.atomic():
            post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
            run("SELECT pg_terminate_backend(pg_backend_pid())")

    (outcome,) = at_once(write)
    assert isinstance(outcome, OperationalError)
    assert (Entry.objects.count(), Line.objects.count(), Account.objects.count()) == (0, 0, 0)


DIE_BEFORE_COMMIT = """
import os, signal, django
django.setup()
from uuid import UUID, uuid4
from django.db import transaction
from ledger import postings
from ledger.models import Entry
from tests.ledger.books import PARTIES, eur, post
with transaction.atomic():
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    assert Entry.objects.count() == 1
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_between_insert_and_commit_leaves_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIE_BEFORE_COMMIT],
        env={**os.environ, "DATABASE_URL": database_address()},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9, done.stderr.decode()
    assert (Entry.objects.count(), Line.objects.count(), Account.objects.count()) == (0, 0, 0)
