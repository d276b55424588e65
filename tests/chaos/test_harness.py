"""A short chaos run, whole: processes, database and provider are struck, and the four views agree."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paymentops.chaos import planning
from paymentops.chaos.kinds import Blow
from tests.plugins.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAYMENTS = 12


def test_a_short_run_finds_nothing_wrong(tmp_path: Path):
    command = [sys.executable, "manage.py", "chaos", "--seed", "7", "--payments", str(PAYMENTS), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=800)
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout)
    assert [report[kind] for kind in ("duplicates", "lost", "mismatched", "stuck")] == [0, 0, 0, 0]
    assert report["plan_digest"] == planning.make(seed=7, payments=PAYMENTS, clients=6).digest
    assert sum(report["faults"].get(blow, 0) for blow in Blow) >= 3
    assert report["faults"]["failpoint_kill"] >= 1
    assert sum(report["failpoints"].values()) > PAYMENTS
    assert not Path(report["data_dir"]).exists()
