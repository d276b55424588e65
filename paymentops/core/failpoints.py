"""Named points at the steps between commits, where a chaos run lets a process die or its database fail.

They are off unless ``PAYMENTOPS_FAILPOINTS`` names a folder when the process starts and
``PAYMENTOPS_FAILPOINTS_ALLOWED`` allows it, in a local environment only; then ``reach`` is one comparison. The folder
holds ``plan.json``, which names the strikes: at which hit of which point, counted over all processes, what happens::

    {"strikes": {"dispatch.answered": {"7": "kill"}}, "delay_seconds": 0.3}

``hits/<point>`` grows by one byte per hit, ``struck`` by one line per strike; a file ``stopped`` ends all strikes.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection


class Point(StrEnum):
    """Every step between two commits. "Before commit" stands inside the transaction, "committed" right after it."""

    INTAKE_BEFORE_COMMIT = "intake.before_commit"
    INTAKE_COMMITTED = "intake.committed"
    REQUEST_BEFORE_COMMIT = "request.before_commit"
    REQUEST_COMMITTED = "request.committed"
    DISPATCH_CLAIMED = "dispatch.claimed"
    DISPATCH_BEFORE_COMMIT = "dispatch.before_commit"
    DISPATCH_COMMITTED = "dispatch.committed"
    DISPATCH_ANSWERED = "dispatch.answered"
    DISPATCH_SET_ASIDE = "dispatch.set_aside"
    INQUIRY_COMMITTED = "inquiry.committed"
    INQUIRY_ANSWERED = "inquiry.answered"
    INQUIRY_RECORDED = "inquiry.recorded"
    OUTCOME_BEFORE_COMMIT = "outcome.before_commit"
    OUTCOME_COMMITTED = "outcome.committed"
    WEBHOOK_KEPT = "webhook.kept"
    WEBHOOK_CLAIMED = "webhook.claimed"
    WEBHOOK_CONCLUDED = "webhook.concluded"
    NOTIFICATION_BEFORE_COMMIT = "notification.before_commit"
    NOTIFICATION_COMMITTED = "notification.committed"
    EXPIRY_BEFORE_COMMIT = "expiry.before_commit"
    EXPIRY_COMMITTED = "expiry.committed"
    SWEEP_EXPIRED = "sweep.expired"
    DELIVERY_BEFORE_COMMIT = "delivery.before_commit"
    DELIVERY_HANDLED = "delivery.handled"
    DELIVERY_PUT_OFF = "delivery.put_off"
    DELIVERY_BURIED = "delivery.buried"
    DELIVERY_BEFORE_MARK = "delivery.before_mark"
    DELIVERY_MARKED = "delivery.marked"
    PUBLICATION_ACKNOWLEDGED = "publication.acknowledged"
    PUBLICATION_MARKED = "publication.marked"
    SEALING_BEFORE_COMMIT = "sealing.before_commit"
    SEALING_COMMITTED = "sealing.committed"
    ROOT_BEFORE_COMMIT = "root.before_commit"
    ROOT_WRITTEN = "root.written"
    BALANCE_BEFORE_COMMIT = "balance.before_commit"
    DECISION_APPROVED = "decision.approved"
    DECISION_BEFORE_COMMIT = "decision.before_commit"


class Action(StrEnum):
    """What a strike does."""

    KILL = "kill"
    LOSE_CONNECTION = "lose_connection"
    SERIALIZATION_FAILURE = "serialization_failure"
    DEADLOCK = "deadlock"
    DISK_FULL = "disk_full"
    DELAY = "delay"


@dataclass(frozen=True, slots=True)
class Plan:
    """At which hit of which point what happens; ``delay_seconds`` is how long a delay takes."""

    strikes: Mapping[Point, Mapping[int, Action]]
    delay_seconds: float = 0.3

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "Plan":
        """Read a plan.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: it is no plan, or names an unknown point or action.
        """
        strikes = {
            Point(point): {int(hit): Action(action) for hit, action in hits.items()}
            for point, hits in document["strikes"].items()
        }
        return cls(strikes, float(document.get("delay_seconds", 0.3)))

    def as_json(self) -> dict[str, Any]:
        """Return the plan in the form that ``parse`` reads."""
        strikes = {
            str(point): {str(hit): str(action) for hit, action in hits.items()} for point, hits in self.strikes.items()
        }
        return {"strikes": strikes, "delay_seconds": self.delay_seconds}


@dataclass(frozen=True, slots=True)
class Armed:
    """The points of one process while its system is under chaos."""

    folder: Path
    plan: Plan

    def hit(self, point: Point) -> None:
        """Count a hit and let happen what the plan says."""
        number = self._count(point)
        action = self.plan.strikes.get(point, {}).get(number)
        if action is None or (self.folder / "stopped").exists():
            return
        _append(self.folder / "struck", f"{point} {number} {action} {os.getpid()}\n")
        match action:
            case Action.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Action.DELAY:
                time.sleep(self.plan.delay_seconds)
            case Action.LOSE_CONNECTION:
                _lose_connection()
            case _:
                _fail(_STATES[action])

    def _count(self, point: Point) -> int:
        # An appending write moves the position to the end of what it wrote: the number of hits, over all processes.
        return _append(self.folder / "hits" / point, ".")


_armed: Armed | None = None


def reach(point: Point) -> None:
    """Say that the process has come to a point; nothing happens unless a chaos run armed it."""
    if _armed is not None:
        _armed.hit(point)


def arm(*, folder: str, allowed: bool, environment: str) -> None:
    """Arm the points of this process, once at its start; without a folder they stay off.

    Raises:
        ImproperlyConfigured: it is not allowed here, or the folder holds no plan.
    """
    global _armed  # noqa: PLW0603 - a process is armed or not; asking settings at every point would cost
    if not folder:
        _armed = None
        return
    if not allowed or environment != "local":
        raise ImproperlyConfigured(
            "PAYMENTOPS_FAILPOINTS makes processes kill themselves. It needs PAYMENTOPS_FAILPOINTS_ALLOWED=true and "
            f"the environment local (this is {environment}); unset it on any other system."
        )
    path = Path(folder)
    try:
        plan = Plan.parse(json.loads((path / "plan.json").read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImproperlyConfigured(f"PAYMENTOPS_FAILPOINTS names no folder with a plan: {error}") from error
    (path / "hits").mkdir(exist_ok=True)
    _armed = Armed(path, plan)


def check(*, allowed: bool, environment: str) -> list[checks.CheckMessage]:
    """Return what Django's system check says of a system that could be armed and must not be."""
    if not allowed or environment == "local":
        return []
    return [
        checks.Error(
            f"PAYMENTOPS_FAILPOINTS_ALLOWED is set, and this is {environment}.",
            hint="Unset it: failpoints are for chaos runs on a system of their own.",
            id="paymentops.E001",
        )
    ]


def hits(folder: Path) -> dict[Point, int]:
    """Return how often each point was reached, over all processes armed with a folder."""
    return {point: _size(folder / "hits" / point) for point in Point}


def struck(folder: Path) -> list[tuple[Point, int, Action]]:
    """Return the strikes that happened: point, number of the hit, action."""
    try:
        lines = (folder / "struck").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [(Point(point), int(number), Action(action)) for point, number, action, _ in map(str.split, lines)]


def stop(folder: Path) -> None:
    """End all strikes of a running system; hits are counted on."""
    (folder / "stopped").touch()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(path: Path, text: str) -> int:
    """Append to a file in one write and return the position after it."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, text.encode())
        return os.lseek(handle, 0, os.SEEK_CUR)
    finally:
        os.close(handle)


def _lose_connection() -> None:
    """Cut the connection to the database; the next statement or commit finds out."""
    connection.ensure_connection()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _fail(state: str) -> None:
    """Let the server refuse a statement with an SQLSTATE; an open transaction is lost with it."""
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'a failpoint struck' USING ERRCODE = '{state}'; END $$")


_STATES: Final = MappingProxyType(
    {Action.SERIALIZATION_FAILURE: "40001", Action.DEADLOCK: "40P01", Action.DISK_FULL: "53100"}
)
