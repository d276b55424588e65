"""``manage.py ledger export``."""

from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from beancount import loader
from django.core.management import CommandError, call_command

from ledger import postings
from paymentops.access.models import AuditEntry
from tests.ledger.books import PARTIES, eur, post

pytestmark = pytest.mark.django_db


def export(*arguments: str) -> str:
    out = StringIO()
    call_command("ledger", "export", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def sale(db):
    return post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(1290)))


def test_beancount_reads_what_is_printed() -> None:
    entries, errors, _ = loader.load_string(
        export("--format", "beancount", "--from", "2026-01-01", "--to", "2026-01-31")
    )
    assert (errors, len(entries)) == ([], 5)


def test_the_journal_is_printed_as_csv(sale) -> None:
    printed = export()
    assert printed.startswith('"Export","Ledger, journal"')
    assert printed.count(str(sale)) == 2


def test_a_statement_and_a_trial_balance_are_printed() -> None:
    assert '"Closing balance","12.90 EUR"' in export(
        "--table", "statement", "--account", "1110:sandbox", "--currency", "EUR"
    )
    assert '"Control total of Balance",0.00,"EUR",0' in export("--table", "trial-balance", "--to", "2026-01-31")


def test_a_file_is_moved_into_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.csv"
    assert export("--output", str(path), "--bom", "--zone", "Europe/Berlin") == f"Wrote {path}.\n"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "Europe/Berlin" in path.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        export("--output", str(tmp_path / "missing" / "journal.csv"))


def test_who_took_it_stands_in_the_audit_trail() -> None:
    export("--known-at", "2026-01-31T12:00:00+00:00")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.after["Known at"]) == ("ledger export", "2026-01-31T12:00:00+00:00")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "statement"], "give --account and --currency"),
        (["--account", "2020"], "are for --table statement"),
        (["--format", "beancount", "--table", "trial-balance"], "leave --table out"),
        (["--format", "beancount", "--bom"], "--bom is for CSV"),
        (["--table", "trial-balance", "--from", "2026-01-01"], "give --to alone"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "ends before it begins"),
        (["--from", "yesterday"], "invalid"),
        (["--known-at", "2026-01-31T12:00:00"], "needs an offset"),
        (["--zone", "Atlantis"], "not a time zone"),
        (["--zone", "../x"], "not a time zone"),
        (["--table", "statement", "--account", "1110:nobody", "--currency", "EUR"], "no account 1110:nobody"),
    ],
)
def test_options_that_do_not_belong_together_are_refused_with_what_to_do(arguments, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        export(*arguments)
    assert AuditEntry.objects.count() == 0
