"""A short chaos run, whole: everything it names struck, and the four views agree."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paymentops.chaos import planning
from paymentops.chaos.kinds import Blow
from paymentops.core.failpoints import Point
from tests.plugins.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAYMENTS = 30
# What a short run does not come to: lapsed holds, publication, decisions of people and the daily root.
ELSEWHERE = {
    Point.EXPIRY_BEFORE_COMMIT,
    Point.EXPIRY_COMMITTED,
    Point.DELIVERY_BEFORE_COMMIT,
    Point.DELIVERY_HANDLED,
    Point.DELIVERY_PUT_OFF,
    Point.DELIVERY_BURIED,
    Point.PUBLICATION_ACKNOWLEDGED,
    Point.PUBLICATION_MARKED,
    Point.ROOT_WRITTEN,
    Point.BALANCE_BEFORE_COMMIT,
    Point.WEBHOOK_CLAIMED,
    Point.DECISION_APPROVED,
    Point.DECISION_BEFORE_COMMIT,
}


def test_a_short_run_finds_nothing_wrong(tmp_path: Path):
    command = [sys.executable, "manage.py", "chaos", "--seed", "7", "--payments", str(PAYMENTS), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=800)
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout)
    assert [report[kind] for kind in ("duplicates", "lost", "mismatched", "stuck")] == [0, 0, 0, 0]
    assert report["plan_digest"] == planning.make(seed=7, payments=PAYMENTS, clients=6).digest
    assert {blow for blow in Blow if not report["faults"].get(blow)} == set()
    assert report["faults"]["failpoint_kill"] >= 5
    assert {point for point, hits in report["failpoints"].items() if not hits} <= ELSEWHERE
    assert not Path(report["data_dir"]).exists()
