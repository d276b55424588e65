"""What the database refuses, shown by trying it in SQL as the owner of the tables."""

from datetime import datetime
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from ledger import operations as ledger
from ledger import posting_sql, postings
from ledger.models import Account, Entry, GuardedBalance, State
from tests.ledger.books import PARTIES, START, as_if_committed, eur, post, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def sale(db) -> Entry:
    entry = post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    as_if_committed()
    return entry


def try_to(sql: str, *parameters: object) -> None:
    """Run SQL up to what would be its commit."""
    with transaction.atomic():
        run(sql, *parameters)
        as_if_committed()


def refused(sql: str, *parameters: object) -> str:
    """Return why the database refuses SQL."""
    with pytest.raises(DatabaseError) as refusal:
        try_to(sql, *parameters)
    return str(refusal.value)


def write_header(
    entry: UUID, *, line_count: int = 2, digest: bytes = b"", state: str = "POSTED", at: datetime = START
) -> None:
    run(
        "INSERT INTO ledger_entry (id, state, source_type, source_id, source_kind, source_sequence, description,"
        " line_count, lines_digest, occurred_at, recorded_at, trace_id)"
        " VALUES (%s, %s, 'test', %s, 'test', 0, '', %s, %s, %s, %s, '')",
        entry,
        state,
        entry,
        line_count,
        digest,
        at,
        at,
    )


def write_lines(entry: UUID, *lines: tuple[int, str, str, int]) -> None:
    """Insert lines (number, account code, currency, amount) in one statement."""
    values = ", ".join(
        ["(%s, %s, (SELECT id FROM ledger_account WHERE code = %s AND currency = 'EUR'), %s, %s, '')"] * len(lines)
    )
    flat = [value for number, code, currency, amount in lines for value in (entry, number, code, currency, amount)]
    run(f"INSERT INTO ledger_line (entry_id, number, account_id, currency, amount, method) VALUES {values}", *flat)


def digest_of(*lines: tuple[int, str, str, int]) -> bytes:
    ids = {account.code: account.pk for account in Account.objects.filter(currency="EUR")}
    canonical = "\n".join(f"{number}|{ids[code]}|{currency}|{amount}|" for number, code, currency, amount in lines)
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_lines_digest(%s)", [canonical])
        return bytes(cursor.fetchone()[0])


def write_entry(*lines: tuple[int, str, str, int], digest: bytes | None = None, state: str = "POSTED") -> None:
    """Write a header with its lines, and no transition, up to what would be the commit."""
    entry = uuid4()
    with transaction.atomic():
        write_header(entry, line_count=max(2, len(lines)), digest=digest or digest_of(*lines), state=state)
        if lines:
            write_lines(entry, *lines)
        as_if_committed()


BALANCED = ((1, "1110:sandbox", "EUR", 5), (2, "2010:cli_shop", "EUR", -5))


@pytest.mark.parametrize("table", ["ledger_line", "ledger_entry_transition", "ledger_entry", "ledger_account"])
def test_rows_cannot_be_deleted(sale, table) -> None:
    assert "is refused" in refused(f"DELETE FROM {table}")


@pytest.mark.parametrize("table", ["ledger_line", "ledger_entry_transition", "ledger_entry", "ledger_account"])
def test_tables_cannot_be_emptied(sale, table) -> None:
    assert "is refused" in refused(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    "change",
    [
        "ledger_line SET amount = amount * 2",
        "ledger_line SET method = ''",
        "ledger_entry_transition SET effective_at = now()",
        "ledger_entry_transition SET cause = 'other'",
        "ledger_entry SET description = 'other'",
        "ledger_entry SET xact_id = '1'",
        "ledger_entry SET lines_digest = ''",
        "ledger_entry SET source_sequence = 9",
        "ledger_entry SET state = 'REVERSED', occurred_at = now()",
        "ledger_account SET code = code || 'x'",
        "ledger_account SET guarded = true",
        "ledger_account SET normal_side = 'NONE'",
    ],
)
def test_what_was_written_cannot_be_changed(change) -> None:
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    as_if_committed()
    assert "is refused" in refused(f"UPDATE {change}")


def test_an_account_may_be_renamed_and_closed(sale) -> None:
    run("UPDATE ledger_account SET name = 'other', closed_at = now()")


@pytest.mark.parametrize("state", ["PENDING", "VOIDED", "REVERSED", "POSTED"])
def test_a_state_cannot_move_without_its_transition(sale, state) -> None:
    if state == sale.state:
        run("UPDATE ledger_entry SET state = %s", state)
        as_if_committed()
        return
    assert "without a transition" in refused("UPDATE ledger_entry SET state = %s", state)


def test_an_unknown_state_is_refused(sale) -> None:
    assert "ledger_entry_known_state" in refused("UPDATE ledger_entry SET state = 'LOST'")


TRANSITION = (
    "INSERT INTO ledger_entry_transition (entry_id, from_state, to_state, cause, effective_at, occurred_at,"
    " recorded_at, actor, trace_id) SELECT id, %s, %s, %s, now(), now(), now(), 'test', '' FROM ledger_entry"
)


@pytest.mark.parametrize(
    ("before", "after"), [("POSTED", "PENDING"), ("VOIDED", "POSTED"), ("PENDING", "REVERSED"), ("", "VOIDED")]
)
def test_a_move_outside_the_state_machine_is_refused_also_with_a_transition(sale, before, after) -> None:
    assert "ledger_entry_transition_along_fsm" in refused(TRANSITION, before, after, "other")


def test_a_transition_that_did_not_happen_is_refused(sale) -> None:
    assert "is not REVERSED" in refused(TRANSITION, "POSTED", "REVERSED", "other")


def test_no_state_is_entered_twice(sale) -> None:
    assert "ledger_entry_transition_state_once" in refused(TRANSITION, "", "POSTED", "other")


def test_a_cause_moves_an_entry_once() -> None:
    post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(5)), cause="same")
    sql = "UPDATE ledger_entry SET state = 'VOIDED'; " + TRANSITION
    assert "ledger_entry_transition_cause_once" in refused(sql, "PENDING", "VOIDED", "same")


def test_an_unbalanced_entry_is_refused(sale) -> None:
    with pytest.raises(IntegrityError, match="does not balance: its lines in EUR add up to 1"):
        write_entry((1, "1110:sandbox", "EUR", 5), (2, "2010:cli_shop", "EUR", -4))


def test_balanced_lines_that_the_header_does_not_know_are_refused(sale) -> None:
    with pytest.raises(IntegrityError, match="is sealed"):
        write_entry(*BALANCED, digest=b"another")


def test_more_lines_than_the_header_says_are_refused(sale) -> None:
    entry = uuid4()
    write_header(entry, digest=digest_of(*BALANCED, (3, "1110:sandbox", "EUR", 1), (4, "2010:cli_shop", "EUR", -1)))
    with pytest.raises(IntegrityError, match="is sealed"):
        write_lines(entry, *BALANCED, (3, "1110:sandbox", "EUR", 1), (4, "2010:cli_shop", "EUR", -1))


def test_lines_in_two_statements_are_refused(sale) -> None:
    with pytest.raises(IntegrityError, match="does not balance"):
        write_entry(BALANCED[0])


def test_a_balanced_pair_cannot_be_appended_in_the_same_transaction(sale) -> None:
    with pytest.raises(IntegrityError, match="is sealed"):
        write_lines(sale.pk, (3, "1110:sandbox", "EUR", 5), (4, "2010:cli_shop", "EUR", -5))


def test_an_entry_of_one_line_is_refused(sale) -> None:
    with pytest.raises(IntegrityError, match="ledger_entry_two_lines"):
        write_header(uuid4(), line_count=1)


def test_a_header_without_lines_is_refused_at_commit(sale) -> None:
    with pytest.raises(IntegrityError, match="has no lines"):
        write_entry()


def test_a_header_of_another_transaction_is_refused_at_commit(sale) -> None:
    sql = (
        "INSERT INTO ledger_entry (id, state, source_type, source_id, source_kind, source_sequence, description,"
        " line_count, lines_digest, occurred_at, recorded_at, trace_id, xact_id)"
        " SELECT source_id, state, 'other', source_id, '', 0, '', 2, '', now(), now(), '', '4' FROM ledger_entry"
    )
    assert "names a transaction that did not write it" in refused(sql)


def test_a_header_without_a_transition_is_refused_at_commit(sale) -> None:
    with pytest.raises(IntegrityError, match="begins as POSTED without a transition"):
        write_entry(*BALANCED)


@pytest.mark.parametrize("state", ["VOIDED", "REVERSED"])
def test_an_entry_cannot_begin_at_its_end(sale, state) -> None:
    with pytest.raises(IntegrityError, match=f"begins as {state}"):
        write_entry(*BALANCED, state=state)


def test_a_line_in_another_currency_than_its_account_is_refused(sale) -> None:
    with pytest.raises(IntegrityError, match="ledger_line_currency_of_account"):
        write_entry((1, "1110:sandbox", "JPY", 5), (2, "2010:cli_shop", "JPY", -5))


@pytest.mark.parametrize(("amount", "reason"), [(0, "ledger_line_amount"), (-(2**63), "ledger_line_amount")])
def test_an_amount_that_is_nothing_or_cannot_be_reversed_is_refused(sale, amount, reason) -> None:
    with pytest.raises(IntegrityError, match=reason), transaction.atomic():
        write_lines(sale.pk, (3, "1110:sandbox", "EUR", amount), (4, "2010:cli_shop", "EUR", 0))


def test_the_largest_amounts_are_posted_and_their_sum_does_not_overflow() -> None:
    ref, fees = (posting_sql.chart.account(number, "EUR") for number in ("1290", "2030"))
    largest = 2**63 - 1
    for number in range(3):
        lines = (postings.PostingLine(ref, largest), postings.PostingLine(fees, -largest))
        source = postings.Source("test", uuid4(), "test", number)
        post(postings.Posting(source, State.POSTED, lines))
    assert GuardedBalance.objects.get(account__code="2030").balance == -3 * largest


def test_an_amount_beyond_bigint_never_arrives(sale) -> None:
    with pytest.raises(DatabaseError, match="out of range"), transaction.atomic():
        write_lines(sale.pk, (3, "1110:sandbox", "EUR", 2**63), (4, "2010:cli_shop", "EUR", -(2**63)))


@pytest.mark.parametrize("asked", [0, 59])
def test_more_cannot_leave_refunds_in_flight_than_went_in(asked) -> None:
    if asked:
        post(postings.refund_requested(refund_id=uuid4(), parties=PARTIES, amount=eur(asked)))
    failed = postings.refund_failed(refund_id=uuid4(), parties=PARTIES, amount=eur(60))
    with pytest.raises(ledger.AccountOnWrongSide), transaction.atomic():
        post(failed)
    assert not Entry.objects.filter(source_id=failed.source.id).exists()


def test_a_pending_entry_moves_a_guarded_account_only_when_it_is_settled() -> None:
    payable, in_flight = (posting_sql.chart.account("2020", "EUR"), posting_sql.chart.account("1290", "EUR"))
    source = postings.Source("test", uuid4(), "test")
    lines = (postings.PostingLine(payable, 5), postings.PostingLine(in_flight, -5))
    entry = post(postings.Posting(source, State.PENDING, lines))
    assert GuardedBalance.objects.get(account__code="2020").balance == 0
    with pytest.raises(ledger.AccountOnWrongSide), transaction.atomic():
        ledger.settle(entry.pk, cause="settle", occurred_at=START, now=START)
    post(postings.refund_requested(refund_id=uuid4(), parties=PARTIES, amount=eur(5)))
    ledger.settle(entry.pk, cause="settle", occurred_at=START, now=START)
    assert GuardedBalance.objects.get(account__code="2020").balance == 0


@pytest.mark.django_db(transaction=True)
def test_a_line_cannot_be_appended_to_an_entry_of_an_earlier_transaction() -> None:
    sale = post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    with pytest.raises(IntegrityError, match="is sealed"):
        write_lines(sale.pk, (3, "1110:sandbox", "EUR", 5), (4, "2010:cli_shop", "EUR", -5))


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_the_commit_is_refused_by_the_commit() -> None:
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))
    with pytest.raises(IntegrityError, match="without a transition"):
        run("UPDATE ledger_entry SET state = 'REVERSED'")
    assert Entry.objects.get().state == "POSTED"
