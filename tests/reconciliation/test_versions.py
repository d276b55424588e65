"""A changed file is the next version of its statement, and says what changed line by line."""

from datetime import timedelta

import pytest

from reconciliation import operations, queries
from reconciliation.models import StatementFile, StatementLine
from tests.reconciliation.sources import NOW, csv, read, row, send, source, worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def acme(db):
    return source()


def _references() -> list[str]:
    return sorted(StatementLine.objects.visible().values_list("provider_reference", flat=True))


def test_a_changed_file_supersedes_the_one_before_it() -> None:
    first = read(csv([row(1), row(2), row(3)])).file
    second = read(csv([row(4), row(1), row(2, gross="12.00")]), now=NOW + timedelta(hours=1)).file
    assert (second.version, second.supersedes_id) == (2, first.pk)
    assert _references() == ["p1", "p2", "p4"]
    found = {
        (
            change.kind.value,
            change.before and change.before.provider_reference,
            change.after and change.after.gross_minor,
        )
        for change in queries.changes(second, limit=9)
    }
    assert found == {("added", None, 1000), ("changed", "p2", 1200), ("removed", "p3", None)}
    assert set(queries.count_changes(second).values()) == {1}
    assert queries.changes(first, limit=9) == []


def test_another_part_of_the_same_day_under_the_same_name_is_no_version() -> None:
    read(csv([row(1), row(2)]))
    other = read(csv([row(3), row(4)]), now=NOW + timedelta(hours=1)).file
    assert (other.version, other.supersedes_id) == (1, None)
    assert _references() == ["p1", "p2", "p3", "p4"]


def test_files_that_are_read_in_another_order_than_they_came_keep_the_order_in_which_they_came() -> None:
    runs = [send(csv([row(1), row(number)]), now=NOW + timedelta(hours=number)).run.pk for number in range(2, 5)]
    for run in (runs[2], runs[0], runs[1]):
        operations.ingest(run, worker=worker(at=NOW + timedelta(hours=9)))
    chain = StatementFile.objects.order_by("version").values_list("version", "received_at")
    assert list(chain) == [(number - 1, NOW + timedelta(hours=number)) for number in range(2, 5)]
    assert _references() == ["p1", "p4"]
