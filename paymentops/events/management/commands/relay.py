"""Run the relay once, or until nothing is due."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from paymentops.core import clock
from paymentops.events import operations


class Command(BaseCommand):
    help = "Deliver due events to the subscribers in this system, without waiting for the worker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=int, default=1000, help="events in one round (default 1000)")

    def handle(self, **options: Any) -> None:
        while True:
            done = operations.deliver_due(now=clock.now(), limit=options["limit"])
            self.stdout.write(
                f"delivered {done.delivered}, nobody listens to {done.passed_over}, put off {done.put_off}, "
                f"given up {done.buried}"
            )
            if not (done.delivered or done.passed_over):
                return
