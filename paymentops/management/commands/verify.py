"""``manage.py verify``: recompute what must hold from the stored rows, and say which rows break it."""

from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from ledger import verification as ledger_verification
from paymentops.casework import verification as casework_verification
from paymentops.core import verification
from paymentops.events import verification as events_verification
from paymentops.idempotency import verification as idempotency_verification
from paymentops.incidents import verification as incidents_verification
from paymentops.payments import verification as payments_verification
from reconciliation import verification as reconciliation_verification

# Every room that keeps truth: a module with ``checks() -> Iterator[Check]``.
VERIFICATIONS: Final = (
    idempotency_verification,
    payments_verification,
    ledger_verification,
    events_verification,
    casework_verification,
    reconciliation_verification,
    incidents_verification,
)


class Command(BaseCommand):
    help = "Recomputes the invariants from the stored rows; exits 1 when one is broken, naming the rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")

    def handle(self, *_args: Any, **options: Any) -> None:
        checks = [check for module in VERIFICATIONS for check in module.checks()]
        self.stdout.write(verification.as_json(checks) if options["json"] else verification.as_table(checks))
        broken = sum(not check.ok for check in checks)
        if broken:
            raise CommandError(f"{broken} of {len(checks)} checks found violations.", returncode=1)
