"""What a data directory remembers of its demo: a second run tells nothing twice, and a broken-off one goes on."""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Self

_FILE: Final = "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One story, in one database.

    Args:
        run: eight characters that stand in every idempotency key of the story.
        seed: of the story.
        payments: how many orders it has.
        until: its last moment.
        client: public id of the API client it belongs to; another database does not have it.
        told: whether it was told to its end.
    """

    run: str
    seed: int
    payments: int
    until: datetime
    client: str
    told: bool = False

    @classmethod
    def fresh(cls, *, seed: int, payments: int, until: datetime, client: str) -> Self:
        """Begin a story of its own."""
        return cls(run=secrets.token_hex(4), seed=seed, payments=payments, until=until, client=client)

    def ended(self) -> "Memory":
        """Return the memory of the whole story."""
        return replace(self, told=True)


def read(data_dir: Path) -> Memory | None:
    """Return what is remembered, or ``None`` where nothing is or it cannot be read."""
    try:
        found = json.loads((data_dir / _FILE).read_text())
        return Memory(**{**found, "until": datetime.fromisoformat(found["until"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write(data_dir: Path, memory: Memory) -> None:
    """Remember; a reader sees the old memory or the new one, never half of it."""
    new = data_dir / f"{_FILE}.new"
    new.write_text(json.dumps({**asdict(memory), "until": memory.until.isoformat()}, indent=2) + "\n")
    new.replace(data_dir / _FILE)
