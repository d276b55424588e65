"""The bench itself, small, against the whole system: it must measure what it says and leave the books in order."""

import json

import pytest
from django.core.management import CommandError, call_command

from tests.plugins.system import System


@pytest.mark.slow
def test_intake_is_measured_against_its_floor_and_the_tables_can_be_filled(system: System):
    system.manage("bench", "fill", "--payments", "50")
    figures = json.loads(system.manage("bench", "intake", "--payments", "64", "--json", "--url", system.url))

    assert set(figures) == {"floor", "first", "replay", "batch"}
    assert all(row["rate"] > 0 and row["p50_ms"] <= row["p99_ms"] for row in figures.values())
    assert {"ratio", "ratio_to_first"} <= set(figures["replay"])
    expired, floors, singles, batched = system.rows(
        "SELECT count(*) FILTER (WHERE state = 'EXPIRED'), count(*) FILTER (WHERE payment_token = 'tok_approved'"
        " AND reference LIKE 'floor-%%'), count(*) FILTER (WHERE k.request_digest <> '' AND reference LIKE 'bench-%%'),"
        " count(*) FILTER (WHERE k.request_digest = '')"
        " FROM payments_payment p JOIN idempotency_idempotencykey k ON k.id = p.key_id"
    )[0]
    assert (expired, floors, singles, batched) == (50, 3 * 64, 320 + 3 * 64, 3 * 4 * 500)
    assert [name for name in system.violations() if name.startswith("ledger.")] == []


@pytest.mark.django_db
def test_a_bench_without_a_running_system_says_how_to_start_one(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match=r"manage\.py up"):
        call_command("bench", "intake")
