"""Verification notices rows and files that somebody changed behind the triggers."""

import pytest
from django.db import connection

from reconciliation import verification
from tests.reconciliation.sources import csv, read, row, source

pytestmark = pytest.mark.django_db(transaction=True)


def _broken() -> list[str]:
    return [check.name for check in verification.checks() if not check.ok]


@pytest.mark.parametrize(
    ("tampering", "noticed"),
    [
        ("DELETE FROM reconciliation_statementline WHERE position = 1", ["reconciliation.rows_counted"]),
        ("DELETE FROM reconciliation_rejectedrow", ["reconciliation.rows_counted"]),
        (
            "UPDATE reconciliation_statementline SET source_id = source_id + 1 WHERE position = 1",
            ["reconciliation.lines_in_place"],
        ),
        ("UPDATE reconciliation_statementfile SET sha256 = repeat('0', 64)", ["reconciliation.files_unchanged"]),
        ("UPDATE reconciliation_ingestrun SET version = version + 1", ["reconciliation.run_states"]),
        (
            "UPDATE reconciliation_statementtotal SET lines = 99",
            ["reconciliation.totals_covered"],
        ),
    ],
)
def test_a_change_is_noticed(tampering: str, noticed: list[str]) -> None:
    source()
    read(csv([row(1), row(2), "p3,o3,sale,ten,0,ten,2026-03-09"]))
    assert _broken() == []
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(tampering)
        cursor.execute("SET session_replication_role = DEFAULT")
    assert _broken() == noticed
