"""Preparing the demo of a data directory: people, a service with its key, and their story, each made once."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from paymentops.demo import books, memory, people, traffic
from paymentops.demo.counterpart import Counterpart
from paymentops.demo.memory import Memory
from paymentops.demo.people import Login, Service
from paymentops.demo.seeding import Telling, story_settings
from paymentops.demo.traffic import Story

# Everybody was there before the first order came.
_BEFORE_NOW = timedelta(days=traffic.DAYS + 1)

type Progress = Callable[[Story], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How to reach the sandbox provider, and the secret of its notifications."""

    url: str
    api_key: str
    webhook_secret: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo of a data directory is: who may sign in and how, the service, and the story it has told."""

    logins: list[Login]
    password: str
    service: Service
    story: Memory


def prepare(*, data_dir: Path, payments: int, sandbox: Sandbox, now: datetime, progress: Progress) -> Demo:
    """Make what is missing of the demo and tell its story, or the rest of it; what is there stays as it is.

    Args:
        data_dir: where secrets and the memory of the story are kept; nobody else prepares it at the same time.
        payments: how many orders a new story has.
        sandbox: running, and sending no notifications.
        now: the end of a new story.
        progress: opened with the story while it is told; what it gives hears how many steps are behind us.
    """
    known = memory.read(data_dir)
    since = now - _BEFORE_NOW if known is None else now
    service = people.open_shop(data_dir=data_dir, now=since)
    password = people.password(data_dir)
    logins = people.hire(password=password, now=since)
    if known is None or known.client != service.client.public_id:
        known = Memory.fresh(seed=traffic.SEED, payments=payments, until=now, client=service.client.public_id)
        memory.write(data_dir, known)
    if not known.told:
        _tell(known, service, sandbox, progress)
        books.keep(client=service.client.public_id, until=known.until)
        known = known.ended()
        memory.write(data_dir, known)
    return Demo(logins, password, service, known)


def _tell(known: Memory, service: Service, sandbox: Sandbox, progress: Progress) -> None:
    story = traffic.make(seed=known.seed, payments=known.payments, until=known.until)
    with (
        Counterpart(url=sandbox.url, api_key=sandbox.api_key, webhook_secret=sandbox.webhook_secret) as counterpart,
        story_settings(sandbox_url=sandbox.url) as pace,
        progress(story) as told,
    ):
        telling = Telling(story=story, requester=service.requester, run=known.run, provider=counterpart, pace=pace)
        telling.tell(told=told)
        counterpart.behave_as_usual()
