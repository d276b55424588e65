"""Outcomes that nobody knows, at the operator's door."""

import getpass
import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from paymentops.access.actors import Actor
from paymentops.core import clock
from paymentops.core.errors import ApplicationError
from paymentops.payments import bodies, doorbell
from paymentops.payments.operations import asking
from paymentops.payments.queries import ambiguity as reading
from paymentops.payments.queries.ambiguity import Ambiguous


class Command(BaseCommand):
    help = "Show payments and refunds of which nobody knows whether they happened, and have their providers asked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="list|show|ask")
        listing = commands.add_parser("list", help="List them, the oldest first, with what is at stake.")
        listing.add_argument("--provider", default="", help="only this provider")
        listing.add_argument("--after", default="", help="go on behind this attempt, att_…")
        listing.add_argument("--limit", type=int, default=50, help="at most so many (default 50)")
        show = commands.add_parser("show", help="Show one attempt with everything that was asked and answered.")
        ask = commands.add_parser("ask", help="Have the provider asked at once.")
        for command in (show, ask):
            command.add_argument("attempt", help="att_…")
        for command in (listing, show, ask):
            command.add_argument("--json", action="store_true", help="print one JSON object instead")

    def handle(self, **options: Any) -> None:
        try:
            {"list": self._list, "show": self._show, "ask": self._ask}[options["what"]](options)
        except ApplicationError as refusal:
            raise CommandError(refusal.detail) from refusal

    def _list(self, options: dict[str, Any]) -> None:
        if not 1 <= options["limit"] <= 1000:
            raise CommandError("--limit takes 1 to 1000.")
        now = clock.now()
        found = reading.ambiguous(now=now)
        if options["provider"]:
            found = found.filter(provider=options["provider"])
        page = reading.after(found, public_id=options["after"]) if options["after"] else found
        rows = list(page[: options["limit"] + 1])
        shown = reading.judged(rows[: options["limit"]], now=now)
        exposures = reading.exposures(found)
        if options["json"]:
            self._print(
                {
                    "exposure": [bodies.exposure(row) for row in exposures],
                    "results": [bodies.ambiguous_outcome(row) for row in shown],
                    "after": shown[-1].attempt.public_id if len(rows) > len(shown) else None,
                }
            )
            return
        for row in shown:
            self._line(row)
        for exposure in exposures:
            self.stdout.write(f"At stake: {exposure.amount} on {exposure.attempts} attempts.")
        if not exposures:
            self.stdout.write("Every outcome is known.")
        if len(rows) > len(shown):
            self.stdout.write(f"There are more: --after {shown[-1].attempt.public_id}")

    def _show(self, options: dict[str, Any]) -> None:
        self._tell(options["attempt"], as_json=options["json"])

    def _ask(self, options: dict[str, Any]) -> None:
        attempt = reading.attempt_of(options["attempt"])
        by = Actor.command("ambiguity", on_behalf_of=getpass.getuser())
        asked = asking.ask_now(attempt_id=attempt.pk, by=by, now=clock.now())
        doorbell.ring()
        if not options["json"]:
            self.stdout.write("The inquiry is due now." if asked.is_new else "An inquiry is due or under way already.")
        self._tell(options["attempt"], as_json=options["json"])

    def _tell(self, public_id: str, *, as_json: bool) -> None:
        [found] = reading.judged([reading.attempt_of(public_id)], now=clock.now())
        if as_json:
            self._print(bodies.ambiguous_outcome_with_calls(found))
            return
        self._line(found)
        if found.verdict.would_change:
            self.stdout.write(f"    What would change it: {found.verdict.would_change}")
        for call in found.calls:
            told = " ".join(part for part in (call.outcome, call.code, call.message) if part)
            counted = "" if call.applied else "  (recorded only)"
            self.stdout.write(
                f"    {_moment(call.answered_at)}  {call.get_kind_display()} {call.number}: {told}{counted}"
            )

    def _line(self, row: Ambiguous) -> None:
        attempt, verdict = row.attempt, row.verdict
        self.stdout.write(
            f"{attempt.public_id}  {attempt.operation.lower()} of {attempt.money} at {attempt.provider}, "
            f"{attempt.get_state_display()} for {int(row.age.total_seconds())} s  {attempt.payment.public_id}"
        )
        self.stdout.write(f"    Safe to retry? {verdict.sentence}")
        self.stdout.write(f"    Next: {verdict.next_step.replace('_', ' ')} {_moment(verdict.next_at)}".rstrip())

    def _print(self, document: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(document, indent=2))


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
