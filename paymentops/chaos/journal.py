"""What the clients saw: every request before it leaves and every answer as it came, in a file that only grows."""

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paymentops.chaos.planning import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One thing that a client asks for; however often it is sent, it is sent under the same key with the same body."""

    order: Order
    what: str
    path: str
    body: dict[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one sending."""

    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as an object; an empty one where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def accepted(self) -> bool:
        """Whether it was taken."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return str(self.json().get("code", ""))


@dataclass(slots=True)
class Asked:
    """Everything that was answered to one ask, in the order of arrival."""

    ask: Ask
    sent: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def accepted(self) -> Answer | None:
        """The first answer that took it."""
        return next((answer for answer in self.answers if answer.accepted), None)

    @property
    def last(self) -> Answer | None:
        """The newest answer."""
        return self.answers[-1] if self.answers else None


class Journal:
    """The file and what stands in it, by service, kind of request and key. Safe between threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._mutex = threading.Lock()
        self.asked: dict[tuple[int, str, str], Asked] = {}
        self.seen: dict[str, dict[str, Any]] = {}
        self.requests = 0

    def sends(self, ask: Ask) -> None:
        """Note that an ask leaves now."""
        with self._mutex:
            self.requests += 1
            self._asked(ask).sent += 1
            self._write("sends", order=ask.order.number, what=ask.what, key=ask.key, path=ask.path, body=ask.body)

    def hears(self, ask: Ask, answer: Answer) -> None:
        """Note an answer."""
        with self._mutex:
            self._asked(ask).answers.append(answer)
            body = answer.body.decode(errors="replace")
            self._write("hears", order=ask.order.number, what=ask.what, key=ask.key, status=answer.status, body=body)

    def misses(self, ask: Ask, why: str) -> None:
        """Note that no answer came."""
        with self._mutex:
            self._write("misses", order=ask.order.number, what=ask.what, key=ask.key, why=why)

    def looks(self, path: str, answer: Answer | None) -> None:
        """Note a look at a payment."""
        with self._mutex:
            self.requests += 1
            found = answer.json() if answer is not None and answer.accepted else {}
            if str(found.get("id", "")).startswith("pay_"):
                self.seen[found["id"]] = found
            self._write("looks", path=path, status=answer.status if answer else None, state=found.get("state"))

    def sees(self, payment: dict[str, Any]) -> None:
        """Note how a payment stands in a list."""
        with self._mutex:
            self.seen[payment["id"]] = payment
            self._write("sees", payment=payment["id"], state=payment["state"], amounts=payment["amounts"])

    def notes(self, event: str, **details: Any) -> None:
        """Note something that is no request: a fault, a trouble of the client itself."""
        with self._mutex:
            self._write(event, **details)

    def close(self) -> None:
        """Close the file."""
        with self._mutex:
            self._file.close()

    def _asked(self, ask: Ask) -> Asked:
        return self.asked.setdefault((ask.order.service, ask.what, ask.key), Asked(ask))

    def _write(self, event: str, **details: Any) -> None:
        line = {"at": round(time.time(), 3), "event": event, **details}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
