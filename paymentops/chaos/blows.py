"""Striking the system from outside: its processes, its database, its broker, its provider's clock and its doors."""

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final

import httpx
import psycopg

from paymentops.chaos.journal import Journal
from paymentops.chaos.kinds import Blow
from paymentops.chaos.planning import Plan
from paymentops.chaos.system import LEASE_SECONDS, ChaosRefused, System
from paymentops.providers.sandbox import notices

_COMMITS_WATCHED_FOR: Final = 1.5
_OLD: Final = 3600
# How far the provider's clock runs ahead; its notifications must not be more than five minutes off.
_AHEAD: Final = (20, 90, 240)


class Striker:
    """Lets the blows of a plan fall. What takes long goes on beside; ``finish`` waits for it."""

    def __init__(self, *, system: System, plan: Plan, journal: Journal) -> None:
        self._system = system
        self._plan = plan
        self._journal = journal
        self._profile: dict[str, Any] = dict(plan.provider)
        self._chance = Random(plan.seed)  # noqa: S311 - which process it hits, no secret
        self._beside: list[threading.Thread] = []
        self.counts: Counter[str] = Counter()
        self.refusals_missed: list[str] = []

    def strike(self, blow: Blow) -> None:
        """Let one blow fall; one that finds nothing to hit is tried again for a moment."""
        self._journal.notes("blow", kind=str(blow))
        deadline = time.monotonic() + 20
        while True:
            try:
                struck = self._strike(blow)
            except (ProcessLookupError, FileNotFoundError, psycopg.Error, httpx.HTTPError, ChaosRefused):
                struck = False
            if struck:
                self.counts[str(blow)] += 1
                return
            if time.monotonic() > deadline:
                self._journal.notes("blow missed", kind=str(blow))
                return
            time.sleep(0.2)

    def finish(self) -> None:
        """Wait for what goes on beside, and let the provider behave."""
        for thread in self._beside:
            thread.join()
        self._system.set_provider({"seed": self._plan.seed})

    def _strike(self, blow: Blow) -> bool:
        strikes: dict[Blow, Callable[[], bool]] = {
            Blow.WORKER_KILLED: lambda: self._kill("worker"),
            Blow.WORKER_CHILD_KILLED: lambda: self._kill_child("worker"),
            Blow.WORKER_PAUSED: self._pause_workers,
            Blow.WEB_KILLED: lambda: self._kill_child("web"),
            Blow.PROVIDER_KILLED: self._kill_provider,
            Blow.SCHEDULER_KILLED: lambda: self._kill("beat"),
            Blow.DATABASE_RESTARTED: lambda: self._stop_database(signal.SIGINT),
            Blow.DATABASE_CRASHED: lambda: self._stop_database(signal.SIGQUIT),
            Blow.CONNECTIONS_TERMINATED: self._terminate_connections,
            Blow.COMMITS_TERMINATED: self._terminate_commits,
            Blow.DEADLOCK: self._force_deadlock,
            Blow.BROKER_EMPTIED: self._empty_broker,
            Blow.CLOCK_SKEWED: self._skew_clock,
            Blow.WEBHOOK_FORGED: lambda: self._send_webhook(secret="forged", age=0, expected=401),  # noqa: S106
            Blow.WEBHOOK_OLD: lambda: self._send_webhook(secret=self._system.webhook_secret, age=_OLD, expected=400),
        }
        return strikes[blow]()

    # --- processes -------------------------------------------------------------------------------------------------

    def _kill(self, name: str) -> bool:
        """Kill a process with everything it has started."""
        os.killpg(self._system.pid(name), signal.SIGKILL)
        return True

    def _kill_child(self, name: str) -> bool:
        children = self._system.children(name)
        if not children:
            return False
        os.kill(self._chance.choice(children), signal.SIGKILL)
        return True

    def _kill_provider(self) -> bool:
        self._kill("sandbox")
        time.sleep(0.3)
        self._beside_this(lambda: self._system.set_provider(self._profile))
        return True

    def _pause_workers(self) -> bool:
        """Stop half of the worker's processes until the leases of what they hold are over, then let them go on."""
        children = self._system.children("worker")[::2]
        for child in children:
            os.kill(child, signal.SIGSTOP)
        self._beside_this(lambda: self._continue(children))
        return bool(children)

    def _continue(self, children: list[int]) -> None:
        time.sleep(LEASE_SECONDS + 1.5)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGCONT)

    def _beside_this(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._beside.append(thread)

    # --- the database ----------------------------------------------------------------------------------------------

    def _stop_database(self, number: signal.Signals) -> bool:
        """SIGINT is PostgreSQL's fast shutdown; SIGQUIT its immediate one, after which it recovers from its log."""
        pid = self._system.pid("postgres")
        os.kill(pid, number)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(0.2)
            with contextlib.suppress(ProcessLookupError, psycopg.Error):
                if self._system.pid("postgres") != pid and self._system.rows("SELECT 1"):
                    return True
        return False

    def _terminate_connections(self) -> bool:
        """End half of the connections that processes of the system have."""
        found = self._system.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'paymentops-%' AND pid %% 2 = %s",
            self._chance.randrange(2),
        )
        return bool(found)

    def _terminate_commits(self) -> bool:
        """End connections while they commit: the commit is done, and its caller hears that the connection was lost.

        PostgreSQL is told to wait a tenth of a second in each commit, so that there is a moment to hit.
        """
        ended = 0
        with self._system.database() as database:
            try:
                for statement in ("SET commit_delay = 100000", "SET commit_siblings = 0"):
                    database.execute(f"ALTER SYSTEM {statement}".encode())
                database.execute("SELECT pg_reload_conf()")
                deadline = time.monotonic() + _COMMITS_WATCHED_FOR
                while time.monotonic() < deadline and ended < 3:
                    ended += len(
                        database.execute(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE application_name LIKE 'paymentops-%' AND state = 'active'"
                            " AND (query = 'COMMIT' OR query LIKE '%WITH given AS%')"
                        ).fetchall()
                    )
                    time.sleep(0.01)
            finally:
                for name in ("commit_delay", "commit_siblings"):
                    database.execute(f"ALTER SYSTEM RESET {name}".encode())
                database.execute("SELECT pg_reload_conf()")
        return ended > 0

    def _force_deadlock(self) -> bool:
        """Lock attempts first and their payments afterwards, the other way round than the system does."""
        with self._system.database() as database, database.transaction():
            # Whoever waits longest is told of the deadlock; it shall not be us.
            database.execute("SET LOCAL deadlock_timeout = '15s'")
            locked = database.execute(
                "SELECT payment_id FROM payments_attempt WHERE next_action_at IS NOT NULL"
                " ORDER BY next_action_at LIMIT 20 FOR UPDATE SKIP LOCKED"
            ).fetchall()
            waiting = "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            deadline = time.monotonic() + 1.5
            while not database.execute(waiting).fetchall():
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.02)
            before = self._deadlocks()
            ids = [payment_id for (payment_id,) in locked]
            database.execute("SELECT 1 FROM payments_payment WHERE id = ANY(%s) FOR UPDATE", [ids])
        time.sleep(0.3)
        return self._deadlocks() > before

    def _deadlocks(self) -> int:
        [(count,)] = self._system.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(count)

    # --- broker, provider, doors -----------------------------------------------------------------------------------

    def _empty_broker(self) -> bool:
        messages = self._system.data_dir / "broker" / "messages"
        for path in messages.glob("*"):
            path.unlink(missing_ok=True)
        return True

    def _skew_clock(self) -> bool:
        self._profile["ahead_seconds"] = self._chance.choice(_AHEAD)
        self._system.set_provider(self._profile)
        return True

    def _send_webhook(self, *, secret: str, age: int, expected: int) -> bool:
        """Send a notification that must be refused; one that is taken is a finding."""
        found = self._system.rows("SELECT provider_key, amount FROM payments_attempt ORDER BY id DESC LIMIT 1")
        if not found:
            return False
        [(key, amount)] = found
        data = {"object": "operation", "kind": "charge", "key": key, "status": "declined", "amount": amount}
        body = json.dumps({"id": f"evt_chaos_{time.time_ns()}", "type": "charge.declined", "data": data}).encode()
        timestamp = str(int(time.time()) - age)
        headers = {
            "Content-Type": "application/json",
            "Sandbox-Timestamp": timestamp,
            "Sandbox-Signature": notices.signature(secret=secret, timestamp=timestamp, body=body),
        }
        answer = httpx.post(
            f"{self._system.url}/api/v1/webhooks/sandbox", content=body, headers=headers, timeout=5, trust_env=False
        )
        if answer.status_code >= 500:
            return False
        if answer.status_code != expected:
            self.refusals_missed.append(f"a notification that is {age} s old was answered {answer.status_code}")
        return True
