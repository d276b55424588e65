"""One chaos run from its plan to its report: start a system, traffic under faults, rest, comparison."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paymentops.chaos import comparing, views
from paymentops.chaos.blows import Striker
from paymentops.chaos.clients import ORDERS_AT_ONCE, Client, look_at_all
from paymentops.chaos.comparing import Finding, Kind, Views
from paymentops.chaos.journal import Journal
from paymentops.chaos.kinds import Habit
from paymentops.chaos.planning import Order, Plan
from paymentops.chaos.report import Report
from paymentops.chaos.system import System, copy
from paymentops.core import failpoints
from paymentops.core.failpoints import Action

type Progress = Callable[[str], None]

# Once nothing goes wrong any more, so long may it take until nothing is open.
_REST_SECONDS: Final = 120.0
# The faults go on until this share of all orders has come to its end.
_FAULTS_END_AT: Final = 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is to be run, where, and who hears how it goes.

    ``template`` is the data directory of a system that was prepared and stopped; without one, all is made anew.
    """

    plan: Plan
    data_dir: Path
    code_dir: Path
    progress: Progress
    template: Path | None = None


def run(run: Run) -> Report:
    """Carry out a plan on a system of its own in an empty data directory; leave the directory as it is then.

    Raises:
        ChaosRefused: the system does not start, or does not answer at the end.
    """
    (run.data_dir / "plan.json").write_bytes(run.plan.as_bytes())
    system = System(data_dir=run.data_dir, code_dir=run.code_dir)
    journal = Journal(run.data_dir / "journal.jsonl")
    try:
        if run.template is not None:
            copy(run.template, run.data_dir)
        run.progress("starting a system")
        system.start(strikes=run.plan.strikes.as_json())
        return _carry_out(run, system, journal)
    finally:
        system.stop()
        journal.close()


def _carry_out(run: Run, system: System, journal: Journal) -> Report:
    secrets = system.secrets()
    system.set_provider(dict(run.plan.provider))
    striker = Striker(system=system, plan=run.plan, journal=journal)
    traffic = _Traffic(run.plan, system, journal, secrets)
    began = time.monotonic()
    run.progress(f"{run.plan.payments} payments under {len(run.plan.blows)} blows")
    traffic.start()
    for planned in run.plan.blows:
        traffic.wait_until_ended(planned.at)
        striker.strike(planned.blow)
        traffic.open_up_to(planned.at)
    traffic.open_up_to(1.0)
    traffic.wait_until_ended(_FAULTS_END_AT)
    striker.finish()
    failpoints.stop(system.failpoints)
    journal.notes("faults end")
    ended = time.monotonic()
    run.progress("the faults are over; waiting until nothing is open")
    traffic.join()
    unfinished = _rest(system)
    recovered = time.monotonic()
    run.progress("comparing")
    look_at_all(url=system.url, secrets=secrets, journal=journal)
    found = comparing.compare(_views(system, journal, unfinished, traffic.troubles))
    found += [Finding(Kind.MISMATCHED, what) for what in striker.refusals_missed]
    return Report(
        seed=run.plan.seed,
        payments=run.plan.payments,
        clients=run.plan.clients,
        plan_digest=run.plan.digest,
        requests=journal.requests,
        faults=_faults(system, striker, run.plan),
        failpoints={str(point): times for point, times in failpoints.hits(system.failpoints).items()},
        findings=found,
        seconds=ended - began,
        recovery_s=recovered - ended,
        data_dir=str(run.data_dir),
    )


class _Traffic:
    """The clients, and a gate that lets their orders start only as far as the blows have come."""

    def __init__(self, plan: Plan, system: System, journal: Journal, secrets: tuple[str, ...]) -> None:
        self._plan = plan
        self._open = threading.Condition()
        self._upto = plan.blows[0].at if plan.blows else 1.0
        self._ended = 0
        self._clients = [
            Client(
                number=number,
                url=system.url,
                secrets=secrets,
                orders=[order for order in plan.orders if order.client == number],
                journal=journal,
                may_start=self._may_start,
                ended=self._end,
            )
            for number in range(plan.clients)
        ]

    def start(self) -> None:
        """Let the clients begin."""
        for client in self._clients:
            client.start()

    def join(self) -> None:
        """Wait until every order has come to its end."""
        for client in self._clients:
            client.join()

    @property
    def troubles(self) -> list[str]:
        """What did not come to an end for a client."""
        return [trouble for client in self._clients for trouble in client.troubles]

    def open_up_to(self, share: float) -> None:
        """Let orders start up to the blow after this one."""
        later = [planned.at for planned in self._plan.blows if planned.at > share]
        with self._open:
            self._upto = later[0] if later else 1.0

    def wait_until_ended(self, share: float) -> None:
        """Wait until this share of all orders has come to its end, or no client is left."""
        with self._open:
            wanted = int(share * self._plan.payments)
            while not self._open.wait_for(lambda: self._ended >= wanted, timeout=1.0):
                if not any(client.is_alive() for client in self._clients):
                    return

    def _may_start(self, order: Order) -> bool:
        return order.number <= self._upto * self._plan.payments + self._plan.clients * ORDERS_AT_ONCE

    def _end(self) -> None:
        with self._open:
            self._ended += 1
            self._open.notify_all()


def _rest(system: System) -> list[str]:
    """Wait until nothing is on its way any more; return what still is when the time is over."""
    deadline = time.monotonic() + _REST_SECONDS
    while left := views.unfinished(system):
        if time.monotonic() > deadline:
            return left
        time.sleep(0.3)
    return []


def _views(system: System, journal: Journal, unfinished: list[str], troubles: list[str]) -> Views:
    return Views(
        asked=list(journal.asked.values()),
        seen=journal.seen,
        payments=views.payments(system),
        requests=views.requests(system),
        books=views.books(system),
        truth=system.truth(),
        violations=system.violations(),
        unfinished=unfinished,
        troubles=troubles,
    )


def _faults(system: System, striker: Striker, plan: Plan) -> dict[str, int]:
    """Count every fault that struck: of the provider's calls, from outside, at failpoints, and by clients."""
    counts = Counter(striker.counts)
    counts.update(system.ask_provider("/admin/struck"))
    names = {
        Action.KILL: "failpoint_kill",
        Action.LOSE_CONNECTION: "connection_lost",
        Action.SERIALIZATION_FAILURE: "serialization_failure",
        Action.DEADLOCK: "deadlock_reported",
        Action.DISK_FULL: "disk_full",
        Action.DELAY: "delay",
    }
    counts.update(names[action] for _, _, action in failpoints.struck(system.failpoints))
    habits = {Habit.TWINS: "twin_requests", Habit.KEY_REUSED: "key_reused", Habit.IMPATIENT: "client_gone"}
    counts.update(habits[order.habit] for order in plan.orders if order.habit in habits)
    counts["found_only_later"] += views.found_only_later(system)
    counts["connection_refused"] += views.refused_connections(system)
    return dict(counts)
