"""``manage.py demo``: the whole local system with people, a service and two weeks of payments to look at."""

import json
import shlex
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from paymentops.core import clock
from paymentops.demo import opening
from paymentops.demo.opening import Demo, Sandbox
from paymentops.demo.traffic import Story
from paymentops.local.output import Output
from paymentops.local.processes import Plan
from paymentops.management.commands import up

_DEFAULT_PAYMENTS = 400
_MOST_PAYMENTS = 100_000
_EXAMPLE = {
    "amount": 12990,
    "currency": "EUR",
    "method": "card",
    "payment_token": "tok_approved",
    "reference": "order-10293",
    "capture": "automatic",
}


class Command(up.Command):
    help = (
        "Start PaymentOps like `up`, with people to sign in as, an API key and two weeks of payments. "
        "Running it again on the same data directory adds nothing. Ctrl-C stops it."
    )
    demo: Demo
    payments = _DEFAULT_PAYMENTS

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--payments",
            type=_payments,
            default=_DEFAULT_PAYMENTS,
            help="how many payments a new data directory gets (default %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ENVIRONMENT != "local":
            raise CommandError(f"The demo is for a local system; this is {settings.ENVIRONMENT}.")
        self.payments = options["payments"]
        super().handle(*args, **options)

    def preparation(self, plan: Plan, output: Output) -> Callable[[], None]:
        def prepare() -> None:
            self.demo = opening.prepare(
                data_dir=plan.data_dir,
                payments=self.payments,
                sandbox=Sandbox(plan.sandbox_url, plan.sandbox_api_key, plan.sandbox_webhook_secret),
                now=clock.now(),
                progress=lambda story: _bar(story, output),
            )

        return prepare

    def announce(self, plan: Plan, output: Output) -> None:
        output.line(f"ready {plan.url}")
        output.table(what_to_look_at(plan, self.demo))
        output.line("Make a payment from a second terminal:")
        output.line("")
        output.line(curl_line(plan, self.demo))
        output.line("")


def what_to_look_at(plan: Plan, demo: Demo) -> list[tuple[str, str]]:
    """Return the rows of the table shown when the demo is ready: addresses, logins, the key."""
    where = dict(up.what_runs_where(plan))
    return [
        ("Console", f"{plan.url}/console/"),
        ("API documentation", f"{plan.url}/api/docs"),
        ("API schema", f"{plan.url}/api/schema"),
        ("Health", f"{plan.url}/healthz and {plan.url}/readyz"),
        ("Sandbox provider", plan.sandbox_url),
        ("Data directory", where["Data directory"]),
        ("Second terminal", where["Second terminal"]),
        ("Payments", f"{demo.story.payments} over two weeks up to {demo.story.until:%Y-%m-%d %H:%M} UTC"),
        *(
            (
                "Login",
                f"{login.name:<12} {login.role}" + ("" if login.password_known else " (with a password of its own)"),
            )
            for login in demo.logins
        ),
        ("Password", f"{demo.password}  (of every login)"),
        ("API key", demo.service.secret),
    ]


def curl_line(plan: Plan, demo: Demo) -> str:
    """Return a command that makes one payment each time it is pasted into a shell and waits for its outcome."""
    return " ".join(
        [
            f"curl -sS {plan.url}/api/v1/payments",
            f"-H {shlex.quote(f'Authorization: Api-Key {demo.service.secret}')}",
            '-H "Idempotency-Key: demo-curl-$(date +%s)-$$"',
            "-H 'Content-Type: application/json' -H 'Prefer: wait=5'",
            f"-d {shlex.quote(json.dumps(_EXAMPLE))}",
        ]
    )


@contextmanager
def _bar(story: Story, output: Output) -> Iterator[Callable[[int], None]]:
    """Show how far the story has come and which day it is there."""
    # Where the output is no terminal the bar appears only once it is full.
    output.say("demo", f"telling two weeks of {len(story.orders)} payments")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[day]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=output.console) as progress:
        task = progress.add_task("Two weeks of payments", total=len(story.steps), day="")

        def told(steps: int) -> None:
            progress.update(task, completed=steps, day=f"{story.steps[steps - 1].at:%a %d %b}")

        yield told


def _payments(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_PAYMENTS:
        raise ArgumentTypeError(f"a whole number from 1 to {_MOST_PAYMENTS} is wanted")
    return int(text)
