import subprocess
import sys

import pytest

from paymentops.bench.http_load import Request, spread
from paymentops.bench.measuring import Measured, Sample, ratio_of_pairs


def sample(rate: float, *latencies: float) -> Sample:
    return Sample(done=int(rate), seconds=1.0, latencies=latencies)


def test_a_measured_thing_has_the_median_rate_and_percentiles_over_all_runs():
    measured = Measured([sample(100, 0.001, 0.002), sample(300, 0.003), sample(200, 0.1)])
    assert measured.as_json(ratio=0.5) == {"rate": 200.0, "p50_ms": 3.0, "p99_ms": 100.0, "ratio": 0.5}


def test_the_ratio_is_that_of_neighbouring_runs_so_that_a_slow_minute_meets_both():
    product = Measured([sample(50), sample(10), sample(60)])
    floor = Measured([sample(100), sample(20), sample(100)])
    assert ratio_of_pairs(product, floor) == 0.5


def test_requests_are_dealt_to_every_connection_of_every_process():
    lanes = spread([Request(str(n).encode()) for n in range(10)], processes=2, connections=2)
    assert [[len(lane) for lane in process] for process in lanes] == [[3, 3], [2, 2]]


def answer_of(preparations: str) -> str:
    """Measure in a process of its own: forking one with threads, such as that of the tests, can leave a lock held."""
    program = f"""
from paymentops.bench import parallel

def failing():
    raise OSError("the server went away")

try:
    sample = parallel.measure({preparations})
    print(sample.done, sorted(sample.latencies))
except parallel.BenchFailed as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_lanes_of_all_processes_are_counted_together():
    said = answer_of("[lambda: [lambda: [0.1, 0.2], lambda: [0.3]]] * 2")
    assert said == "6 [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]"


@pytest.mark.parametrize("preparation", ["failing", "lambda: [failing]"])
def test_a_failure_is_told_and_never_measured(preparation: str):
    assert "the server went away" in answer_of(f"[{preparation}, lambda: [list]]")
