"""Rows written once stay as they are, also for the owner of the table."""

import pytest
from django.db import IntegrityError, connection, transaction

from paymentops.core.append_only import append_only_operations

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    def execute(sql: str) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)

    return execute


@pytest.fixture
def sealed(run):
    run(
        "CREATE TABLE diary (id int, body text, shown int, twice int GENERATED ALWAYS AS (id * 2) STORED);"
        "INSERT INTO diary VALUES (1, 'first', 0)"
    )
    for operation in append_only_operations("diary"):
        run(operation.sql)


@pytest.fixture
def partly_sealed(run):
    run(
        "CREATE TABLE diary (id int, body text, shown int, twice int GENERATED ALWAYS AS (id * 2) STORED);"
        "INSERT INTO diary VALUES (1, 'first', 0)"
    )
    for operation in append_only_operations("diary", allow_update_of=("shown",)):
        run(operation.sql)


@pytest.mark.parametrize("sql", ["UPDATE diary SET body = 'other'", "DELETE FROM diary", "TRUNCATE diary"])
def test_a_written_row_cannot_be_changed(sealed, run, sql) -> None:
    with pytest.raises(IntegrityError, match="is refused: its rows are written once"):
        run(sql)


def test_a_statement_that_meets_no_row_passes(sealed, run) -> None:
    run("UPDATE diary SET body = 'other' WHERE id = 7; DELETE FROM diary WHERE id = 7")


def test_rows_can_be_added(sealed, run) -> None:
    run("INSERT INTO diary VALUES (2, 'second', 0)")


def test_only_the_named_columns_may_change(partly_sealed, run) -> None:
    run("UPDATE diary SET shown = 1")
    for change in ("body = 'other'", "body = NULL", "id = 2", "id = 2, shown = 3"):
        with pytest.raises(IntegrityError, match="only shown may change"):
            run(f"UPDATE diary SET {change}")


def test_a_column_added_later_is_protected_too(partly_sealed, run) -> None:
    run("ALTER TABLE diary ADD COLUMN late int")
    with pytest.raises(IntegrityError, match="only shown may change"):
        run("UPDATE diary SET late = 1")
    run("UPDATE diary SET shown = 1")


@pytest.mark.parametrize("sql", ["DELETE FROM diary", "TRUNCATE diary"])
def test_a_partly_changeable_row_still_cannot_go(partly_sealed, run, sql) -> None:
    with pytest.raises(IntegrityError, match="is refused"):
        run(sql)


@pytest.mark.parametrize("columns", [(), ("shown",)])
def test_it_can_be_taken_back(run, columns) -> None:
    run("CREATE TABLE diary (id int, body text, shown int)")
    operations = append_only_operations("diary", allow_update_of=columns)
    for operation in operations:
        run(operation.sql)
    for operation in reversed(operations):
        run(operation.reverse_sql)
    run("DELETE FROM diary; TRUNCATE diary")


@pytest.mark.parametrize("name", ["", "Diary", "a b", "x; DROP TABLE y", "a" * 52])
def test_only_plain_names_reach_the_sql(name) -> None:
    with pytest.raises(ValueError, match="plain identifier"):
        append_only_operations(name)
