"""``manage.py up``: the whole local system in one terminal."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from paymentops.core.errors import ApplicationError
from paymentops.local import places, system
from paymentops.local.output import Output
from paymentops.local.processes import Plan

_HIGHEST_PORT = 65535
_MOST_PROCESSES = 64


class Command(BaseCommand):
    help = (
        "Start PaymentOps on this machine: database, migrations, web server, worker, scheduler and sandbox provider. "
        "Ctrl-C stops it."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=_port, help=f"of the web server (default {settings.UP_PORT})")
        parser.add_argument(
            "--sandbox-port", type=_port, help="of the sandbox provider (default: the first free one from port + 1000)"
        )
        parser.add_argument(
            "--workers",
            type=_processes,
            default=settings.WEB_WORKERS,
            help="processes of the web server (default %(default)s)",
        )
        # manage.py takes it off before Django reads its settings; here it only shows in the help.
        parser.add_argument("--data-dir", help=f"where everything is kept (default {places.default_data_dir()})")

    def handle(self, *_args: Any, **options: Any) -> None:
        output = Output()
        plan = make_plan(port=options["port"], sandbox_port=options["sandbox_port"], web_workers=options["workers"])
        try:
            with system.running(
                plan=plan,
                output=output,
                broker_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS,
                before_serving=self.preparation(plan, output),
            ) as running:
                self.announce(plan, output)
                running.wait()
        except ApplicationError as error:
            raise CommandError(error.detail) from error
        except KeyboardInterrupt:
            return

    def preparation(self, plan: Plan, output: Output) -> Callable[[], None] | None:  # noqa: ARG002 - for subclasses
        """Return what is to be done with the database and the provider running, before anything is served."""
        return None

    def announce(self, plan: Plan, output: Output) -> None:
        """Say that the system is ready, and what runs where."""
        output.table(what_runs_where(plan))
        output.line(f"ready {plan.url}")


def make_plan(*, port: int | None, sandbox_port: int | None, web_workers: int) -> Plan:
    """Complete what the command line leaves open from the settings."""
    web_port = port or settings.UP_PORT
    return Plan(
        data_dir=settings.DATA_DIR,
        code_dir=settings.BASE_DIR,
        port=web_port,
        sandbox_port=sandbox_port or settings.UP_SANDBOX_PORT or system.free_port_from(web_port + 1000, but=web_port),
        web_workers=web_workers,
        web_threads=settings.WEB_THREADS,
        worker_concurrency=settings.WORKER_CONCURRENCY,
        worker_queues=tuple(settings.WORKER_QUEUES),
        sandbox_api_key=settings.SANDBOX_API_KEY,
        sandbox_webhook_secret=settings.SANDBOX_WEBHOOK_SECRETS[0],
        embedded_database=not settings.DATABASE_URL,
    )


def what_runs_where(plan: Plan) -> list[tuple[str, str]]:
    """Return the rows of the table shown when the system is ready: a name and a place."""
    database = (
        f"embedded PostgreSQL in {places.cluster_dir(plan.data_dir)}" if plan.embedded_database else "DATABASE_URL"
    )
    return [
        ("Console", f"{plan.url}/console/"),
        ("API", f"{plan.url}/api/v1/"),
        ("API documentation", f"{plan.url}/api/docs"),
        ("Web server", f"{plan.web_workers} processes of {plan.web_threads} threads, port {plan.port}"),
        ("Worker", f"{plan.worker_concurrency} processes, queues {', '.join(plan.worker_queues)}"),
        ("Sandbox provider", plan.sandbox_url),
        ("Database", database),
        ("Data directory", str(plan.data_dir)),
        ("Second terminal", _second_terminal(plan.data_dir)),
    ]


def _second_terminal(data_dir: Path) -> str:
    if data_dir == places.default_data_dir():
        return "uv run manage.py verify"
    return f"uv run manage.py verify --data-dir {data_dir}"


def _port(text: str) -> int:
    return _whole_number(text, highest=_HIGHEST_PORT)


def _processes(text: str) -> int:
    return _whole_number(text, highest=_MOST_PROCESSES)


def _whole_number(text: str, *, highest: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= highest:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to {highest}")
    return int(text)
