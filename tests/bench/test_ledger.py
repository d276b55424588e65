"""The ledger's bench, small: it measures in a database of its own and drops it."""

import json

import pytest

from tests.plugins.system import System


@pytest.mark.slow
def test_the_ledger_is_measured_in_a_database_of_its_own(system: System):
    databases = "SELECT datname FROM pg_database ORDER BY datname"
    before, entries = system.rows(databases), system.rows("SELECT count(*) FROM ledger_entry")
    figures = json.loads(system.manage("bench", "ledger", "--entries", "320", "--lines", "1000", "--json"))

    reads = {f"{read}_{size}" for read in READS for size in ("small", "large")}
    assert set(figures) == {"floor", "batch", "single_spread", "single_hot", "seal", "verify"} | reads
    assert all(row["rate"] > 0 for row in figures.values())
    assert figures["batch"]["ratio"] > 0
    assert figures["seal"]["transitions"] >= 11_000
    assert figures["verify"]["lines"] == 2 * figures["seal"]["transitions"]
    assert figures["verify"]["violations"] == []
    assert system.rows(databases) == before
    assert system.rows("SELECT count(*) FROM ledger_entry") == entries


READS = ("balance", "balance_as_known", "statement", "statement_newest")
