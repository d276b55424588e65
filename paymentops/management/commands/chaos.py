"""``manage.py chaos``: a system of its own under traffic and faults from a seed, and what does not agree afterwards."""

import json
import shutil
import signal
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from paymentops.chaos import planning, report, running, system
from paymentops.chaos.report import Report
from paymentops.chaos.running import Run
from paymentops.chaos.system import ChaosRefused
from paymentops.core.errors import ApplicationError
from paymentops.local import commandline, embedded

_MOST_PAYMENTS: Final = 100_000
_MOST_CLIENTS: Final = 64
_MOST_SEEDS: Final = 1_000


class Command(BaseCommand):
    help = (
        "Starts a system of its own, drives its API as several clients while processes die, the database restarts and "
        "the provider misbehaves, then compares clients, database, ledger and provider. The same seed gives the same "
        "faults. Exits 1 when anything does not agree, and keeps that system's data directory."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        seeds = parser.add_mutually_exclusive_group()
        seeds.add_argument("--seed", type=_number(0, 2**31), help="of the plan (default 1)")
        seeds.add_argument("--seeds", type=_seeds, help="several, one after the other: 1-20")
        parser.add_argument(
            "--payments", type=_number(1, _MOST_PAYMENTS), default=200, help="of each seed (default %(default)s)"
        )
        parser.add_argument(
            "--clients", type=_number(1, _MOST_CLIENTS), default=6, help="at the same time (default %(default)s)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
        # manage.py takes it off before Django reads its settings; here it only shows in the help.
        parser.add_argument("--data-dir", help="a folder for the systems' data; kept (default: temporary, removed)")

    def handle(self, *_args: Any, **options: Any) -> None:
        if settings.ENVIRONMENT != "local":
            raise CommandError(f"Chaos runs belong on a local machine; this is {settings.ENVIRONMENT}.")
        # What was started must be stopped, also when the run is ended from outside.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        console = Console(stderr=True, highlight=False)
        # Settings hold some data directory in any case; only one that was named on the command line is meant for this.
        _, named = commandline.take_data_dir(sys.argv)
        folder = Path(named).expanduser().resolve() if named else None
        reports = []
        template = _template(folder) if options["seeds"] else None
        for seed in options["seeds"] or [1 if options["seed"] is None else options["seed"]]:
            made = _run(
                seed=seed,
                options=options,
                folder=folder,
                template=template,
                progress=lambda text, seed=seed: console.print(f"seed {seed}: {text}", style="dim"),  # type: ignore[misc]
            )
            _tell(made, options, console)
            reports.append(made)
        if template is not None:
            shutil.rmtree(template, ignore_errors=True)
        document = report.together(reports) if options["seeds"] else reports[0].as_json()
        self._show(document, as_json=options["json"])
        if not document["ok"]:
            raise CommandError("What the clients, the database, the ledger and the provider say does not agree.")

    def _show(self, document: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(document, indent=2))
            return
        console = Console(highlight=False)
        for table in report.as_tables(document):
            console.print(table)


def _run(
    *, seed: int, options: dict[str, Any], folder: Path | None, template: Path | None, progress: running.Progress
) -> Report:
    plan = planning.make(seed=seed, payments=options["payments"], clients=options["clients"])
    data_dir = _data_dir(folder, seed)
    try:
        embedded.check_socket_path(data_dir)
        made = running.run(
            Run(plan=plan, data_dir=data_dir, code_dir=settings.BASE_DIR, progress=progress, template=template)
        )
    except (ApplicationError, ChaosRefused) as refusal:
        raise CommandError(f"Seed {seed}: {refusal}\nThe data directory is kept: {data_dir}") from refusal
    if made.ok and folder is None:
        shutil.rmtree(data_dir, ignore_errors=True)
    return made


def _template(folder: Path | None) -> Path:
    """Prepare a database once for many seeds."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    template = Path(tempfile.mkdtemp(prefix="chaos-template-", dir=folder))
    try:
        system.prepare(data_dir=template, code_dir=settings.BASE_DIR)
    except ChaosRefused as refusal:
        raise CommandError(str(refusal)) from refusal
    return template


def _data_dir(folder: Path | None, seed: int) -> Path:
    """Make an empty data directory for one seed.

    Raises:
        CommandError: there is something in it already.
    """
    if folder is None:
        return Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    data_dir = folder / f"seed-{seed}"
    if data_dir.exists() and any(data_dir.iterdir()):
        raise CommandError(f"{data_dir} is not empty; remove it, or choose another folder with --data-dir.")
    data_dir.mkdir(parents=True, exist_ok=True)
    return data_dir


def _tell(made: Report, options: dict[str, Any], console: Console) -> None:
    counts = made.as_json()
    sums = ", ".join(f"{counts[name]} {name}" for name in ("duplicates", "lost", "mismatched", "stuck"))
    console.print(
        f"seed {made.seed}: {sums}; {sum(made.faults.values())} faults in {made.seconds:.0f} s,"
        f" recovered in {made.recovery_s:.0f} s"
    )
    if made.ok:
        return
    for finding in counts["findings"]:
        console.print(f"    {finding}", markup=False)
    again = f"manage.py chaos --seed {made.seed} --payments {options['payments']} --clients {options['clients']}"
    console.print(f"seed {made.seed} failed. Run it again: {again}\nIts data directory is kept: {made.data_dir}")


def _number(least: int, most: int) -> Any:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


def _seeds(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise ArgumentTypeError(f"{text!r} is no range of seeds; write the first and the last one: 1-20")
    if int(last) - int(first) >= _MOST_SEEDS:
        raise ArgumentTypeError(f"at most {_MOST_SEEDS} seeds at a time")
    return list(range(int(first), int(last) + 1))
