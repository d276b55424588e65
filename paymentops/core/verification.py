"""What a verification of stored truth answers: one named check with the rows that break it.

A room that keeps truth has a module ``verification`` with ``checks() -> Iterator[Check]``; ``manage.py verify`` runs
them all. A check recomputes from the rows up with set-based SQL and never trusts a trigger, because a superuser can
switch triggers off.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Self

LISTED_VIOLATIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant and what was found.

    Args:
        name: dotted and stable, the room first: ``ledger.entries_balance``.
        violations: one sentence per broken row, naming it by its public id; at most ``LISTED_VIOLATIONS`` and then
            one that says how many more there are. Empty when the invariant holds.
        note: what a reader should know although nothing is broken, as one sentence; usually empty.
    """

    name: str
    violations: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the invariant holds everywhere."""
        return not self.violations

    @classmethod
    def of(cls, name: str, violations: Iterable[str], *, note: str = "") -> Self:
        """Build a check from a stream of violations, keeping the first ``LISTED_VIOLATIONS`` and counting the rest."""
        found = iter(violations)
        listed = list(islice(found, LISTED_VIOLATIONS))
        more = sum(1 for _ in found)
        return cls(name, [*listed, f"and {more} more"] if more else listed, note)


def as_json(checks: Iterable[Check]) -> str:
    """Write ``{"ok": bool, "checks": [{"name", "ok", "violations": [...]}]}``; a check with a ``note`` has that too."""
    found = [
        {"name": check.name, "ok": check.ok, "violations": check.violations}
        | ({"note": check.note} if check.note else {})
        for check in checks
    ]
    return json.dumps({"ok": all(check["ok"] for check in found), "checks": found}, indent=2)


def as_table(checks: Iterable[Check]) -> str:
    """Write one row per check, with its violations indented below."""
    rows: list[str] = []
    for check in checks:
        rows.append(f"{'ok    ' if check.ok else 'BROKEN'}  {check.name}{f' ({check.note})' if check.note else ''}")
        rows.extend(f"          {violation}" for violation in check.violations)
    return "\n".join(rows)
