"""Migrations tell the models' whole story, and can run beside the release before them."""

import pytest
from django.core.management import call_command
from django_migration_linter import MigrationLinter

_ROOMS = ["access", "casework", "console", "events", "idempotency", "incidents", "ledger", "payments", "reconciliation"]


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.slow
@pytest.mark.django_db
def test_migrations_can_run_while_the_release_before_them_serves(settings, capsys):
    linter = MigrationLinter(str(settings.BASE_DIR), include_apps=_ROOMS, no_cache=True, ignore_initial_migrations=True)
    linter.lint_all_migrations()
    assert not linter.has_errors, capsys.readouterr().out
