"""What a chaos run found, for people and for programs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.table import Table

from paymentops.chaos.comparing import Finding, Kind

_LISTED: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run.

    Args:
        seed: of the plan.
        payments: how many were asked for.
        clients: by how many clients.
        plan_digest: the SHA-256 of the plan's bytes.
        requests: how often a client sent something.
        faults: how often each kind struck.
        failpoints: how often each point was reached.
        findings: everything that does not agree.
        seconds: from the first request to the end of the faults.
        recovery_s: from then until all had come to rest.
        data_dir: where the system was.
    """

    seed: int
    payments: int
    clients: int
    plan_digest: str
    requests: int
    faults: Mapping[str, int]
    failpoints: Mapping[str, int]
    findings: list[Finding]
    seconds: float
    recovery_s: float
    data_dir: str

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.findings

    def count(self, kind: Kind) -> int:
        """Return how many findings are of a kind."""
        return sum(finding.kind is kind for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        return {
            "ok": self.ok,
            "seed": self.seed,
            "payments": self.payments,
            "clients": self.clients,
            "plan_digest": self.plan_digest,
            "requests": self.requests,
            "faults": dict(sorted(self.faults.items())),
            **{str(kind): self.count(kind) for kind in Kind},
            "seconds": round(self.seconds, 1),
            "recovery_s": round(self.recovery_s, 1),
            "failpoints": dict(self.failpoints),
            "findings": [f"{finding.kind}: {finding.what}" for finding in self.findings[:_LISTED]],
            "data_dir": self.data_dir,
        }


def together(reports: list[Report]) -> dict[str, Any]:
    """Return the sums of several runs, with each run below ``seeds``."""
    faults: Counter[str] = Counter()
    points: Counter[str] = Counter()
    for report in reports:
        faults.update(report.faults)
        points.update(report.failpoints)
    return {
        "ok": all(report.ok for report in reports),
        "payments": sum(report.payments for report in reports),
        "requests": sum(report.requests for report in reports),
        "faults": dict(sorted(faults.items())),
        **{str(kind): sum(report.count(kind) for report in reports) for kind in Kind},
        "recovery_s": round(max((report.recovery_s for report in reports), default=0.0), 1),
        "failpoints": dict(points),
        "failed_seeds": [report.seed for report in reports if not report.ok],
        "seeds": [report.as_json() for report in reports],
    }


def as_tables(document: Mapping[str, Any]) -> list[Table]:
    """Return what people read of a report or of several together."""
    result = Table(title="Result", show_header=False)
    for name in ("payments", "requests", "duplicates", "lost", "mismatched", "stuck", "recovery_s"):
        result.add_row(name, f"{document[name]:,}")
    faults = Table(title="Faults")
    faults.add_column("kind")
    faults.add_column("times", justify="right")
    for name, times in document["faults"].items():
        faults.add_row(name, f"{times:,}")
    missed = [point for point, times in document["failpoints"].items() if not times]
    if missed:
        result.add_row("points not reached", ", ".join(missed))
    return [faults, result]
