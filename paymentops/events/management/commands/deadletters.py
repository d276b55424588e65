"""Dead letters at the operator's door: what waits, what handling it again would do, and doing it."""

import getpass
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from paymentops.access.actors import Actor
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError
from paymentops.events import operations, queries


class Command(BaseCommand):
    help = "List dead letters by what they have in common, show one, and have one or a group handled again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="list|show|replay")
        commands.add_parser("list", help="Show the kinds of trouble, the most numerous first.")
        show = commands.add_parser("show", help="Show one dead letter and what handling it again would do.")
        show.add_argument("id", help="dlt_…")
        replay = commands.add_parser("replay", help="Handle one, a group or a whole source again.")
        chosen = replay.add_mutually_exclusive_group(required=True)
        chosen.add_argument("--id", help="dlt_…")
        chosen.add_argument("--group", help="the fingerprint that list shows")
        chosen.add_argument("--source", help="webhook:sandbox, subscriber:incidents")
        replay.add_argument("--reason", help="why it will work now; needed without --dry-run")
        replay.add_argument("--dry-run", action="store_true", help="do it, tell what it did, and undo all of it")

    def handle(self, **options: Any) -> None:
        try:
            {"list": self._list, "show": self._show, "replay": self._replay}[options["what"]](options)
        except ApplicationError as refusal:
            raise CommandError(refusal.detail) from refusal

    def _list(self, _options: dict[str, Any]) -> None:
        for trouble in queries.troubles():
            self.stdout.write(
                f"{trouble.fingerprint or '-':<16}  {trouble.count:>6}  {trouble.source}  owner {trouble.owner}  "
                f"since {trouble.first_at:%Y-%m-%d %H:%M}: {trouble.reason}"
            )
            for letter in queries.open_letters(fingerprint=trouble.fingerprint, source=trouble.source)[:5]:
                self.stdout.write(f"    {letter.public_id}  {letter.reference}  {letter.attempts} tries")

    def _show(self, options: dict[str, Any]) -> None:
        letter = queries.letter(options["id"])
        self.stdout.write(f"{letter.source} {letter.reference}, owner {letter.owner}, {letter.attempts} tries")
        self.stdout.write(letter.reason)
        if letter.resolved_at is not None:
            self.stdout.write(f"{letter.get_resolution_display()} on {letter.resolved_at:%Y-%m-%d %H:%M:%S} UTC")
            return
        self._preview(letter.pk)

    def _replay(self, options: dict[str, Any]) -> None:
        letters = self._chosen(options)
        if options["dry_run"]:
            for letter_id in letters:
                self._preview(letter_id)
            return
        if not (options["reason"] or "").strip():
            raise CommandError("Say with --reason why it will work now.")
        by = Actor.command("deadletters", on_behalf_of=getpass.getuser())
        done = operations.replay_dead_letters(
            dead_letter_ids=letters, actor=by, reason=options["reason"].strip(), now=clock.now()
        )
        for result in done:
            self.stdout.write(f"{_named(result.letter_id)}  {result.error or 'handled'}")
        if failed := sum(bool(result.error) for result in done):
            raise CommandError(f"{failed} of {len(done)} failed again and stay open.")

    def _preview(self, letter_id: UUID) -> None:
        preview = operations.preview_dead_letter(dead_letter_id=letter_id, now=clock.now())
        told = ", ".join(preview.would_tell) or "no event"
        would = f"would work and tell {told}" if preview.would_work else f"would fail again: {preview.error}"
        self.stdout.write(f"{_named(letter_id)}  {would}")

    def _chosen(self, options: dict[str, Any]) -> list[UUID]:
        if options["id"]:
            return [queries.letter(options["id"]).pk]
        found = queries.open_letters(fingerprint=options["group"] or "", source=options["source"] or "")
        return list(found.values_list("pk", flat=True)[: operations.MOST_AT_ONCE])


def _named(letter_id: UUID) -> str:
    return ids.public(ids.Prefix.DEAD_LETTER, letter_id)
