"""API clients and their keys, at the operator's door."""

import getpass
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from paymentops.access import operations, queries
from paymentops.access.actors import Actor
from paymentops.access.models import DuplicatePolicy, Scope
from paymentops.core import clock
from paymentops.core.errors import ApplicationError


class Command(BaseCommand):
    help = "Make, list and revoke the API keys of the services that call PaymentOps."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="create|list|revoke|duplicates")
        create = commands.add_parser(
            "create",
            help="Make a key and print it alone on the last line; it cannot be shown again.",
            description="An existing client gets a further key, so that keys can be exchanged without a gap.",
        )
        create.add_argument("name", help="name of the client")
        scopes = ", ".join(scope.value for scope in Scope)
        create.add_argument("--scopes", required=True, help=f"separated by commas, of: {scopes}")
        create.add_argument("--expires-in-days", type=int, help="without it the key does not expire")
        commands.add_parser("list", help="Show every client and its keys.")
        revoke = commands.add_parser("revoke", help="Close a key at once and for ever.")
        revoke.add_argument("prefix", help="as shown by list, po_…")
        revoke.add_argument("--reason", required=True)
        duplicates = commands.add_parser("duplicates", help="Say what happens to payments that look like duplicates.")
        duplicates.add_argument("name", help="name of the client")
        duplicates.add_argument("policy", choices=DuplicatePolicy.values)
        duplicates.add_argument("--window", type=int, help="seconds; without it the setting of the whole system counts")
        duplicates.add_argument("--reason", required=True)

    def handle(self, **options: Any) -> None:
        try:
            {
                "create": self._create,
                "list": self._list,
                "revoke": self._revoke,
                "duplicates": self._duplicates,
            }[options["what"]](options)
        except ApplicationError as refusal:
            raise CommandError(refusal.detail) from refusal

    def _create(self, options: dict[str, Any]) -> None:
        days = options["expires_in_days"]
        if days is not None and not 1 <= days <= 3650:
            raise CommandError("--expires-in-days takes 1 to 3650.")
        now = clock.now()
        key, secret = operations.issue_key_by_name(
            name=options["name"],
            scopes=[scope.strip() for scope in options["scopes"].split(",") if scope.strip()],
            expires_at=None if days is None else now + timedelta(days=days),
            by=_operator(),
            now=now,
        )
        expiry = f"expires {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "does not expire"
        self.stdout.write(f"Client {key.client.name} ({key.client.public_id}), key {key.prefix}, {expiry}. Shown once:")
        self.stdout.write(secret)

    def _list(self, _options: dict[str, Any]) -> None:
        for line in queries.clients_with_keys():
            client = f"{line.name}  {line.public_id}" + ("  DISABLED" if line.disabled_at else "")
            self.stdout.write(client)
            for key in line.keys.all():
                self.stdout.write(f"    {key.prefix}  {key.state(clock.now()):<8}  {','.join(key.scopes)}")

    def _revoke(self, options: dict[str, Any]) -> None:
        key = operations.revoke_key(prefix=options["prefix"], reason=options["reason"], by=_operator(), now=clock.now())
        self.stdout.write(f"The key {key.prefix} is revoked since {key.revoked_at:%Y-%m-%d %H:%M:%S} UTC.")

    def _duplicates(self, options: dict[str, Any]) -> None:
        client = operations.set_duplicate_policy(
            client_id=queries.client_named(options["name"]).pk,
            policy=options["policy"],
            window_seconds=options["window"],
            reason=options["reason"],
            by=_operator(),
            now=clock.now(),
        )
        self.stdout.write(f"The policy of {client.name} is {client.duplicate_policy}.")


def _operator() -> Actor:
    return Actor.command("api_client", on_behalf_of=getpass.getuser())
