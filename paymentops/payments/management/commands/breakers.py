"""The circuit breakers at the operator's door: how each kind of call does at its provider."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from paymentops.core import clock
from paymentops.payments.queries import breakers as queries
from paymentops.payments.queries.breakers import Health

_MOST_MINUTES = 24 * 60


class Command(BaseCommand):
    help = "List the circuit breakers with the calls behind them. Two people open or close one in the console."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--minutes", type=int, default=15, help="count the calls of the last minutes (default 15)")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead")

    def handle(self, **options: Any) -> None:
        if not 1 <= options["minutes"] <= _MOST_MINUTES:
            raise CommandError(f"--minutes takes 1 to {_MOST_MINUTES}.")
        rows = queries.health(since=clock.now() - timedelta(minutes=options["minutes"]))
        if options["json"]:
            self.stdout.write(json.dumps({"breakers": [_as_json(row) for row in rows]}, indent=2))
            return
        for row in rows:
            self.stdout.write(_line(row))
        if not rows:
            self.stdout.write(f"No call in the last {options['minutes']} minutes, and no breaker ever opened.")


def _line(row: Health) -> str:
    state = f"{row.state.label}, held by people" if row.by_hand else str(row.state.label)
    if not row.calls:
        return f"{row.key}  {state}  no calls"
    return (
        f"{row.key}  {state}  {row.calls} calls, {row.worked_percent} % worked, {row.unknown_percent} % unknown, "
        f"p50 {row.p50_ms} ms, p95 {row.p95_ms} ms"
    )


def _as_json(row: Health) -> dict[str, Any]:
    return {
        "provider": row.key.provider,
        "operation": row.key.operation,
        "method": row.key.method,
        "state": row.state.value,
        "by_hand": row.by_hand,
        "opened_at": row.opened_at.isoformat() if row.opened_at else None,
        "calls": row.calls,
        "failed": row.failed,
        "unknown": row.unknown,
        "p50_ms": row.p50_ms,
        "p95_ms": row.p95_ms,
    }
