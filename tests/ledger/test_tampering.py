"""Whoever edits sealed rows with the triggers switched off is found out, and exactly those rows are named."""

from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage

from ledger import operations as ledger
from ledger import postings
from ledger.models import Account, ChainLink, Entry, EntryTransition
from ledger.postings import Source
from ledger.verification import balances, chain
from paymentops.access.actors import Actor
from tests.ledger.books import PARTIES, PAYABLE, RECEIVABLE, START, day, eur, post, run, without_triggers

pytestmark = pytest.mark.django_db
EVERY = 2
# How far everything is sealed is known only once no older transaction runs, also of tests beside this one.
COMPLETE = "UPDATE ledger_chain_head SET low_id = (SELECT max(id) FROM ledger_entry_transition)"


@pytest.fixture
def roots() -> InMemoryStorage:
    return InMemoryStorage()


@pytest.fixture
def sold(db, roots) -> list[Entry]:
    """Return three sales of three days, sealed, with a root that left."""
    made = [
        post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100 + number)), on=number)
        for number in range(3)
    ]
    ledger.seal(now=day(3), snapshot_every=EVERY)
    ledger.take_root(now=day(3))
    ledger.export_roots(storage=roots, now=day(3))
    return made


@pytest.fixture
def found(roots):
    """Return a function that names what verification finds in the chain and in stored balances."""

    def look() -> dict[str, list[str]]:
        parts = [*chain.checks(roots=roots), *balances.checks()]
        return {check.name: check.violations for check in parts if not check.ok}

    return look


def link_of(entry: Entry) -> str:
    link = ChainLink.objects.get(transition__entry=entry)
    return f"link {link.seq} ({entry} to {link.transition.to_state})"


def transition_of(entry: Entry) -> int:
    return EntryTransition.objects.get(entry=entry).pk


def test_untouched_books_verify(sold, found) -> None:
    assert found() == {}


@pytest.mark.parametrize(
    "change",
    [
        "description = 'something else'",
        "source_id = '0199f0c2-d5e4-7c3a-9b1f-000000000000'",
        "recorded_at = recorded_at + interval '1 microsecond'",
        "lines_digest = sha256('')",
        "line_count = 3",
        "trace_id = repeat('0', 32)",
    ],
)
def test_a_changed_header_is_named(sold, found, change: str) -> None:
    without_triggers(f"UPDATE ledger_entry SET {change} WHERE id = %s", sold[1].pk)
    named = found()
    assert named["ledger.chain_verifies"] == [
        f"{link_of(sold[1])}: its transition, entry or accounts differ from what was sealed"
    ]


@pytest.mark.parametrize(
    "change",
    [
        "cause = 'another'",
        "actor = 'somebody'",
        "occurred_at = occurred_at - interval '1 day'",
        "trace_id = repeat('0', 32)",
    ],
)
def test_a_changed_transition_is_named_alone(sold, found, change: str) -> None:
    without_triggers(f"UPDATE ledger_entry_transition SET {change} WHERE entry_id = %s", sold[1].pk)
    assert found() == {
        "ledger.chain_verifies": [f"{link_of(sold[1])}: its transition, entry or accounts differ from what was sealed"]
    }


def test_a_transition_moved_to_another_month_is_named_with_its_movements(sold, found) -> None:
    without_triggers(
        "UPDATE ledger_entry_transition SET effective_at = effective_at - interval '40 days' WHERE entry_id = %s",
        sold[2].pk,
    )
    named = found()
    assert [violation.split(":")[0] for violation in named.pop("ledger.chain_verifies")] == [link_of(sold[2])]
    assert sorted(named.pop("ledger.movements_follow_lines")) == [
        f"{RECEIVABLE} EUR: movement of transition {transition_of(sold[2])} line 1 differs from its line",
        f"{PAYABLE} EUR: movement of transition {transition_of(sold[2])} line 2 differs from its line",
    ]


def test_two_accounts_whose_codes_were_swapped_are_noticed(sold, found) -> None:
    batch = Source("settlement", uuid4(), "announced")
    post(postings.settlement_announced(source=batch, provider_account="sandbox", net=eur(1)), on=3)
    ledger.seal(now=day(4), snapshot_every=EVERY)
    one, other = (Account.objects.get(code=code).pk for code in (RECEIVABLE, "1120:sandbox"))
    without_triggers("UPDATE ledger_account SET code = 'swap' WHERE id = %s", one)
    without_triggers("UPDATE ledger_account SET code = %s WHERE id = %s", RECEIVABLE, other)
    without_triggers("UPDATE ledger_account SET code = '1120:sandbox' WHERE id = %s", one)
    assert len(found()["ledger.chain_verifies"]) == 4


def test_a_changed_line_shows_in_the_balances_made_of_it(sold, found) -> None:
    without_triggers("UPDATE ledger_line SET amount = amount * 2 WHERE entry_id = %s", sold[2].pk)
    assert [violation.split(": ")[1] for violation in found()["ledger.movements_follow_lines"]] == [
        f"movement of transition {transition_of(sold[2])} line {number} differs from its line" for number in (1, 2)
    ]


def test_a_deleted_transition_leaves_a_link_without_one(sold, found) -> None:
    transition_id = transition_of(sold[1])
    without_triggers("DELETE FROM ledger_entry_transition WHERE entry_id = %s", sold[1].pk)
    assert found()["ledger.chain_verifies"] == [
        f"link 2 (transition {transition_id}): its transition is gone",
    ]


def test_an_inserted_transition_below_what_is_complete_is_named(sold, found) -> None:
    without_triggers(
        "INSERT INTO ledger_entry_transition (id, entry_id, from_state, to_state, cause, effective_at, occurred_at,"
        " recorded_at, actor, trace_id) OVERRIDING SYSTEM VALUE"
        " VALUES (-1, %s, 'POSTED', 'REVERSED', 'forged', %s, %s, %s, 'x', '')",
        sold[0].pk,
        START,
        START,
        START,
    )
    without_triggers(COMPLETE)
    assert found() == {"ledger.all_sealed": [f"{sold[0]}: its move to REVERSED was never sealed, and later ones were"]}


def test_a_changed_hash_is_named_alone(sold, found) -> None:
    name = link_of(sold[1])
    without_triggers("UPDATE ledger_chain_link SET hash = sha256('') WHERE seq = 2")
    assert found() == {"ledger.chain_verifies": [f"{name}: its hash does not continue the chain"]}


def test_a_changed_digest_is_named_alone(sold, found) -> None:
    name = link_of(sold[1])
    without_triggers("UPDATE ledger_chain_link SET digest = sha256('') WHERE seq = 2")
    assert found() == {
        "ledger.chain_verifies": [f"{name}: its transition, entry or accounts differ from what was sealed"]
    }


def test_a_deleted_link_is_named(sold, found) -> None:
    without_triggers("DELETE FROM ledger_chain_link WHERE seq = 2")
    without_triggers(COMPLETE)
    named = found()
    assert named["ledger.chain_verifies"] == ["links 2 to 2 are missing"]
    assert named["ledger.all_sealed"] == [f"{sold[1]}: its move to POSTED was never sealed, and later ones were"]


def test_a_chain_cut_off_at_its_end_is_named(sold, found) -> None:
    without_triggers("DELETE FROM ledger_chain_link WHERE seq = 3")
    assert found()["ledger.chain_verifies"] == ["the chain's head stands at link 3, which is missing"]
    without_triggers("DELETE FROM ledger_chain_link")
    assert found()["ledger.chain_verifies"] == ["the chain's head stands at link 3 and there is no link"]


def test_a_link_behind_the_head_and_a_changed_head_are_named(sold, found) -> None:
    name = link_of(sold[2])
    without_triggers("UPDATE ledger_chain_head SET seq = 2, hash = (SELECT hash FROM ledger_chain_link WHERE seq = 2)")
    assert found() == {"ledger.chain_verifies": [f"{name}: stands behind the chain's head"]}
    without_triggers("UPDATE ledger_chain_head SET seq = 3, hash = sha256('')")
    assert found() == {"ledger.chain_verifies": ["the chain's head does not hold the hash of link 3"]}


def test_a_whole_chain_made_anew_does_not_fit_the_root_that_left(sold, found) -> None:
    without_triggers("UPDATE ledger_entry_transition SET cause = 'forged' WHERE entry_id = %s", sold[0].pk)
    without_triggers("DELETE FROM ledger_chain_link")
    without_triggers("DELETE FROM ledger_movement")
    without_triggers("DELETE FROM ledger_balance_snapshot")
    without_triggers("DELETE FROM ledger_folded_balance")
    without_triggers("DELETE FROM ledger_chain_head")
    ledger.seal(now=day(9), snapshot_every=EVERY)
    assert found() == {"ledger.chain_roots": ["root of 2026-01-08: link 3 has another hash"]}
    without_triggers("UPDATE ledger_chain_root SET hash = (SELECT hash FROM ledger_chain_link WHERE seq = 3)")
    assert found() == {"ledger.chain_roots": ["root of 2026-01-08: its file 2026-01-08.json says something else"]}


def test_a_root_taken_out_of_the_database_is_known_from_its_file(sold, found) -> None:
    without_triggers("DELETE FROM ledger_chain_root")
    assert found() == {
        "ledger.chain_roots": ["2026-01-08.json: tells of a root that the database does not have"],
    }


def test_a_root_that_is_said_never_to_have_left_is_compared_with_its_file_too(sold, found, roots) -> None:
    without_triggers("UPDATE ledger_chain_root SET exported_at = NULL, made_at = made_at + interval '1 second'")
    assert found() == {"ledger.chain_roots": ["root of 2026-01-08: its file 2026-01-08.json says something else"]}


def test_a_root_being_written_and_files_of_others_are_no_violation(sold, found, roots) -> None:
    roots.save("README.txt", ContentFile(b"Kept for the auditors."))
    without_triggers("UPDATE ledger_chain_root SET exported_at = NULL")
    assert found() == {}
    roots.delete("2026-01-08.json")
    roots.save("2026-01-08.json", ContentFile(b'{\n  "date"'))
    assert found() == {}


def test_a_place_that_does_not_exist_yet_holds_no_roots(db, tmp_path) -> None:
    checks = chain.checks(roots=FileSystemStorage(location=tmp_path / "not yet"))
    assert [check.name for check in checks if not check.ok] == []


def test_a_root_whose_file_is_gone_or_changed_is_named(sold, found, roots) -> None:
    roots.delete("2026-01-08.json")
    assert found() == {"ledger.chain_roots": ["root of 2026-01-08: its file 2026-01-08.json is gone"]}
    roots.save("2026-01-08.json", ContentFile(b"{}"))
    assert found() == {"ledger.chain_roots": ["root of 2026-01-08: its file 2026-01-08.json says something else"]}


def test_a_changed_deleted_or_inserted_movement_is_named_alone(sold, found) -> None:
    second = transition_of(sold[1])
    without_triggers("UPDATE ledger_movement SET posted = posted + 1 WHERE transition_id = %s AND number = 1", second)
    assert found() == {
        "ledger.movements_follow_lines": [
            f"{RECEIVABLE} EUR: movement of transition {second} line 1 differs from its line"
        ]
    }
    without_triggers("DELETE FROM ledger_movement WHERE transition_id = %s AND number = 1", second)
    assert found() == {
        "ledger.movements_follow_lines": [f"{RECEIVABLE} EUR: movement of transition {second} line 1 is missing"]
    }
    ledger.rebuild_balances(code=RECEIVABLE, currency="EUR", reason="test", by=Actor.command("test"), now=day(4))
    without_triggers("UPDATE ledger_movement SET number = 9 WHERE transition_id = %s AND number = 1", second)
    assert sorted(found()["ledger.movements_follow_lines"]) == [
        f"{RECEIVABLE} EUR: movement of transition {second} line 1 is missing",
        f"{RECEIVABLE} EUR: movement of transition {second} line 9 stands for no sealed line of the account",
    ]


@pytest.mark.parametrize("change", ["posted = posted + 1", "pending_debits = 5", "movements = movements + 1"])
def test_a_changed_snapshot_or_sum_is_named_alone(sold, found, change: str) -> None:
    behind = EntryTransition.objects.order_by("id")[EVERY - 1].pk
    for number in range(3, 6):
        post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)), on=number)
    ledger.seal(now=day(6), snapshot_every=EVERY)
    without_triggers(f"UPDATE ledger_balance_snapshot SET {change} WHERE transition_id = %s AND number = 1", behind)
    assert found() == {
        "ledger.snapshots_follow_lines": [
            f"{RECEIVABLE} EUR: snapshot behind transition {behind} line 1 differs from the sum of its lines"
        ]
    }
    run("DELETE FROM ledger_balance_snapshot")
    without_triggers(f"UPDATE ledger_folded_balance SET {change} WHERE posted > 0")
    (violation,) = found()["ledger.sums_follow_lines"]
    assert violation.startswith(f"{RECEIVABLE} EUR: stored sum ")


def test_what_waits_to_be_sealed_is_told_and_is_no_violation(sold, found, roots) -> None:
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)), on=4)
    notes = {check.name: check.note for check in chain.checks(roots=roots)}
    assert notes["ledger.all_sealed"] == "1 transitions wait to be sealed, the oldest recorded 2026-01-09 09:00:00Z"
    assert found() == {}
