"""Sources at the operator's door."""

import getpass
import json
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from paymentops.access.actors import Actor
from paymentops.core import clock
from paymentops.core.errors import ApplicationError
from reconciliation import operations, queries
from reconciliation.models import ToleranceKind
from reconciliation.operations import SourceDeclaration


class Command(BaseCommand):
    help = "Declare, change and list the provider and bank accounts that report to us."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="create|change|tolerance|list")
        create = commands.add_parser("create", help="Declare a source from a JSON file.")
        change = commands.add_parser("change", help="Declare a source anew from a JSON file.")
        change.add_argument("--reason", required=True)
        for command in (create, change):
            command.add_argument("name", help="small letters, digits and hyphens")
            command.add_argument("declaration", type=Path, help="title, kind, account, format, owner, currencies, …")
        tolerance = commands.add_parser("tolerance", help="Say how far fees or exchanges may be off from a date on.")
        tolerance.add_argument("name")
        tolerance.add_argument("kind", type=str.upper, choices=ToleranceKind.values)
        tolerance.add_argument("--from", dest="valid_from", type=date.fromisoformat, required=True)
        tolerance.add_argument("--minor", type=int, default=0, help="minor units")
        tolerance.add_argument("--basis-points", type=int, default=0)
        commands.add_parser("list", help="Show every source.")

    def handle(self, **options: Any) -> None:
        what = {"create": self._create, "change": self._change, "tolerance": self._tolerance, "list": self._list}
        try:
            what[options["what"]](options)
        except ApplicationError as refusal:
            raise CommandError(refusal.detail) from refusal

    def _create(self, options: dict[str, Any]) -> None:
        declaration = _declaration(options["declaration"])
        source = operations.create_source(declaration, name=options["name"], by=_operator(), now=clock.now())
        self.stdout.write(f"The source {source.name} is declared.")

    def _change(self, options: dict[str, Any]) -> None:
        source = operations.change_source(
            _declaration(options["declaration"]),
            name=options["name"],
            by=_operator(),
            reason=options["reason"],
            now=clock.now(),
        )
        self.stdout.write(f"The source {source.name} is changed.")

    def _tolerance(self, options: dict[str, Any]) -> None:
        rule = operations.add_tolerance(
            source_name=options["name"],
            kind=ToleranceKind(options["kind"]),
            valid_from=options["valid_from"],
            absolute_minor=options["minor"],
            basis_points=options["basis_points"],
            by=_operator(),
            now=clock.now(),
        )
        self.stdout.write(f"{options['name']}: {rule}")

    def _list(self, _options: dict[str, Any]) -> None:
        for source in queries.sources():
            off = "" if source.is_active else "  OFF"
            currencies = ",".join(source.currencies)
            self.stdout.write(
                f"{source.name}  {source.kind}  {source.format}  {currencies}  T+{source.settlement_days}  "
                f"{source.zone}  {source.owner.name}{off}"
            )


def _declaration(path: Path) -> SourceDeclaration:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise CommandError(f"{path} must hold one JSON object.")
    return SourceDeclaration.parse(values)


def _operator() -> Actor:
    return Actor.command("source", on_behalf_of=getpass.getuser())
