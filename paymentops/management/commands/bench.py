"""Measure the product against its floor (``bench intake``), or make its tables large first (``bench fill``)."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from rich.console import Console
from rich.table import Table

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.access.models import ApiClient
from paymentops.bench import filling, intake
from paymentops.bench.parallel import BenchFailed
from paymentops.core import clock
from paymentops.local import record

_BY = Actor.command("bench")


class Command(BaseCommand):
    help = "Measures the running system. Figures are medians of alternating runs; compare ratios, not rates."

    def add_arguments(self, parser: CommandParser) -> None:
        benches = parser.add_subparsers(dest="bench", required=True)
        one = benches.add_parser("intake", help="payments over HTTP against the same rows written straight in")
        one.add_argument("--payments", type=int, default=4000, help="in each of three runs (4000)")
        one.add_argument("--json", action="store_true", help="one object per measured thing, nothing else")
        one.add_argument("--url", default="", help="of the running system; found through the data directory")
        fill = benches.add_parser("fill", help="add finished payments, to measure with large tables")
        fill.add_argument("--payments", type=int, default=1_000_000)

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["bench"] == "fill":
            filling.fill(payments=options["payments"], client=_client(), now=clock.now(), console=Console())
            return
        console = Console(stderr=True)
        try:
            figures = intake.measure(
                target=_target(options["url"]),
                payments=options["payments"],
                now=clock.now(),
                progress=lambda text: console.print(text, style="dim"),
            )
        except BenchFailed as error:
            raise CommandError(f"The system did not answer as the bench needs: {error}") from error
        if options["json"]:
            self.stdout.write(json.dumps(figures, indent=2))
        else:
            Console().print(_table(figures))


def _target(url: str) -> intake.Target:
    running = record.read(settings.DATA_DIR)
    if not url and running is None:
        raise CommandError("No system runs on this data directory. Start one with `manage.py up`, or give --url.")
    client = _client()
    _, secret = access.issue_key(
        client=client, scopes=["payments:read", "payments:write"], expires_at=None, by=_BY, now=clock.now()
    )
    return intake.Target(
        url=url or f"http://127.0.0.1:{running.port if running else 0}",
        secret=secret,
        client_id=client.pk,
        conninfo=_conninfo(),
    )


def _client() -> ApiClient:
    found = ApiClient.objects.filter(name="bench").first()
    return found or access.create_client(name="bench", by=_BY, now=clock.now())


def _conninfo() -> str:
    """Return how psycopg reaches the database Django uses."""
    connection.ensure_connection()
    info = connection.connection.info
    return str(info.dsn)


def _table(figures: dict[str, Any]) -> Table:
    table = Table(title="Intake over HTTP")
    for name in ("", "rate /s", "p50 ms", "p99 ms", "to floor", "to first"):
        table.add_column(name, justify="left" if not name else "right")
    for name, row in figures.items():
        table.add_row(
            name,
            f"{row['rate']:,.0f}",
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            str(row.get("ratio", "")),
            str(row.get("ratio_to_first", "")),
        )
    return table
