"""A source is declared as data, checked when it is saved, and every change leaves its audit row."""

import json
from datetime import date

import pytest
from django.core.management import CommandError, call_command

from paymentops.access.models import AuditEntry, Team
from paymentops.core.errors import Conflict, InvalidInput
from reconciliation import operations, queries
from reconciliation.formats.registry import UnknownFormat
from reconciliation.models import Source, ToleranceKind
from reconciliation.operations import SourceDeclaration, SourceNotUsable
from tests.reconciliation.sources import BY, MAPPING, NOW, declaration, source

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"format": "abc"}, UnknownFormat),
        ({"options": {}}, SourceNotUsable),
        ({"options": {"mapping": {"columns": {}}}}, InvalidInput),
        ({"options": {"mapping": MAPPING, "colour": "red"}}, InvalidInput),
        ({"format": "stripe"}, SourceNotUsable),
        ({"zone": "Mars/Olympus"}, SourceNotUsable),
        ({"currencies": ("XXX1",)}, SourceNotUsable),
        ({"weekdays": ()}, SourceNotUsable),
        ({"owner": "Nobody"}, SourceNotUsable),
        ({"kind": "FRIEND"}, SourceNotUsable),
        ({"settlement_days": 61}, SourceNotUsable),
    ],
)
def test_what_cannot_be_used_is_refused_when_it_is_saved(changes, refusal) -> None:
    with pytest.raises(refusal):
        source(**changes)
    assert Source.objects.count() == 0


def test_a_name_is_given_once() -> None:
    source()
    with pytest.raises(Conflict):
        source()
    with pytest.raises(SourceNotUsable):
        source("Not a name")


def test_a_change_leaves_what_was_and_what_is() -> None:
    source()
    operations.change_source(declaration(settlement_days=3), name="acme", by=BY, reason="new contract", now=NOW)
    entry = AuditEntry.objects.get(action="source.change")
    assert (entry.before, entry.after, entry.reason) == (
        {"settlement_days": 2},
        {"settlement_days": 3},
        "new contract",
    )


def test_a_tolerance_counts_from_its_date_on() -> None:
    acme = source()
    for day, minor in ((date(2026, 1, 1), 5), (date(2026, 2, 1), 9)):
        operations.add_tolerance(
            source_name="acme",
            kind=ToleranceKind.FEE,
            valid_from=day,
            absolute_minor=minor,
            basis_points=0,
            by=BY,
            now=NOW,
        )
    found = [
        queries.tolerance_at(acme, kind=ToleranceKind.FEE, day=day).absolute_minor
        for day in (date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 1))
    ]
    assert found == [1, 5, 9]
    usual = queries.tolerance_at(acme, kind=ToleranceKind.FEE, day=date(2025, 1, 1))
    assert [usual.allows(off, gross_minor=10_000) for off in (50, 51)] == [True, False]
    assert queries.tolerance_at(acme, kind=ToleranceKind.FX, day=date(2026, 1, 1)).allows(0, gross_minor=1)


def test_sources_are_declared_and_changed_at_the_command_line(tmp_path, capsys) -> None:
    Team.objects.create(name="Treasury")
    path = tmp_path / "bank.json"
    values = {
        "title": "Main account",
        "kind": "BANK",
        "account": "main",
        "format": "camt.053",
        "owner": "Treasury",
        "currencies": ["EUR"],
        "holidays": ["2026-01-01"],
        "cut_off": "17:00",
        "zone": "Europe/Berlin",
    }
    path.write_text(json.dumps(values))
    call_command("source", "create", "bank-main", str(path))
    path.write_text(json.dumps(values | {"settlement_days": 1}))
    call_command("source", "change", "bank-main", str(path), "--reason", "faster")
    call_command("source", "tolerance", "bank-main", "FX", "--from", "2026-01-01", "--basis-points", "100")
    call_command("source", "list")
    assert "bank-main  BANK  camt.053  EUR  T+1  Europe/Berlin  Treasury" in capsys.readouterr().out
    assert queries.source("bank-main").calendar.holidays == frozenset({date(2026, 1, 1)})
    path.write_text(json.dumps(values | {"colour": "red"}))
    with pytest.raises(CommandError, match="no field 'colour'"):
        call_command("source", "change", "bank-main", str(path), "--reason", "x")


def test_a_declaration_with_an_unreadable_date_is_refused() -> None:
    with pytest.raises(SourceNotUsable):
        SourceDeclaration.parse({"holidays": ["1.1.2026"]})
