"""``manage.py verify``: recompute what must hold from the stored rows, and say which rows break it."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from ledger import verification as ledger_verification
from paymentops.casework import verification as casework_verification
from paymentops.core.verification import Check
from paymentops.events import verification as events_verification
from paymentops.idempotency import verification as idempotency_verification
from paymentops.payments import verification as payments_verification

# Every room that keeps truth: a module with ``checks() -> Iterator[Check]``.
VERIFICATIONS: Final = (
    idempotency_verification,
    payments_verification,
    ledger_verification,
    events_verification,
    casework_verification,
)


class Command(BaseCommand):
    help = "Recomputes the invariants from the stored rows; exits 1 when one is broken, naming the rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")

    def handle(self, *_args: Any, **options: Any) -> None:
        checks = [check for module in VERIFICATIONS for check in module.checks()]
        self.stdout.write(as_json(checks) if options["json"] else as_table(checks))
        broken = sum(not check.ok for check in checks)
        if broken:
            raise CommandError(f"{broken} of {len(checks)} checks found violations.", returncode=1)


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
