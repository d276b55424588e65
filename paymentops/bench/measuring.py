"""What a bench measures, and how it is written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: how many things were done in how many seconds, and the seconds each request took."""

    done: int
    seconds: float
    latencies: Sequence[float]

    @property
    def rate(self) -> float:
        """Things a second."""
        return self.done / self.seconds


@dataclass(frozen=True, slots=True)
class Measured:
    """Several runs of one thing: the median rate, and percentiles over all requests in milliseconds."""

    samples: Sequence[Sample]

    @property
    def rate(self) -> float:
        """The median of the runs' rates."""
        return median(sample.rate for sample in self.samples)

    def percentile_ms(self, share: float) -> float:
        """Return the latency that ``share`` of all requests stayed within."""
        latencies = sorted(latency for sample in self.samples for latency in sample.latencies)
        if not latencies:
            return 0.0
        return latencies[min(len(latencies) - 1, int(share * len(latencies)))] * 1000

    def as_json(self, **more: Any) -> dict[str, Any]:
        """Return ``rate``, ``p50_ms`` and ``p99_ms`` with further members."""
        return {
            "rate": round(self.rate, 1),
            "p50_ms": round(self.percentile_ms(0.50), 2),
            "p99_ms": round(self.percentile_ms(0.99), 2),
            **more,
        }


def ratio_of_pairs(product: Measured, floor: Measured) -> float:
    """Return the median over the alternating runs of product rate to floor rate; noise of the machine cancels out."""
    pairs = zip(product.samples, floor.samples, strict=True)
    return round(median(one.rate / other.rate for one, other in pairs), 3)
