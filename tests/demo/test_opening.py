"""What a data directory's demo is made of, and that it is made once."""

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth import authenticate

from paymentops.access import operations as access
from paymentops.access.api import caller_of
from paymentops.access.models import ApiKey, AuditEntry, Scope, User
from paymentops.core import clock
from paymentops.demo import memory, opening, people
from paymentops.demo.opening import Demo, Sandbox
from paymentops.demo.story_clock import StoryClock
from paymentops.demo.traffic import Story
from paymentops.payments.models import Payment
from tests.demo.conftest import UNTIL
from tests.plugins.sandbox import SandboxServer

transactional = pytest.mark.django_db(transaction=True)


@contextmanager
def no_bar(_story: Story) -> Iterator[Callable[[int], None]]:
    yield lambda _steps: None


def prepare(server: SandboxServer, folder: Path, payments: int = 3) -> Demo:
    return opening.prepare(
        data_dir=folder,
        payments=payments,
        sandbox=Sandbox(server.url, server.api_key, server.webhook_secret),
        now=clock.now(),
        progress=no_bar,
    )


@transactional
def test_a_second_run_shows_the_same_password_and_key_and_adds_nothing(provider, tmp_path):
    first = prepare(provider, tmp_path)
    again = prepare(provider, tmp_path, payments=300)
    assert again == first
    assert again.story.told
    assert Payment.objects.count() == 3
    assert User.objects.count() == len(people.PEOPLE)
    assert ApiKey.objects.count() == 1
    assert caller_of(secret=again.service.secret, now=clock.now()).scopes == {scope.value for scope in Scope}


@transactional
def test_another_database_gets_a_story_of_its_own(provider, tmp_path):
    first = prepare(provider, tmp_path)
    foreign = memory.Memory.fresh(seed=1, payments=9, until=clock.now(), client="cli_of_another_database").ended()
    memory.write(tmp_path, foreign)
    again = prepare(provider, tmp_path)
    assert again.story.run not in (first.story.run, foreign.run)
    assert Payment.objects.count() == 6


@pytest.mark.django_db
def test_people_have_their_roles_can_sign_in_and_are_audited(tmp_path):
    password = people.password(tmp_path)
    logins = people.hire(password=password, now=clock.now())
    assert [(login.name, login.role) for login in logins] == [(name, role.name) for name, role in people.PEOPLE]
    for login in logins:
        user = authenticate(username=login.name, password=password)
        assert user is not None
        assert user.is_staff
        assert [group.name for group in user.groups.all()] == [login.role]
    assert AuditEntry.objects.filter(action="user.add", actor="demo").count() == len(people.PEOPLE)


@pytest.mark.django_db
def test_a_password_somebody_changed_stays_theirs_and_the_table_says_so(tmp_path):
    password = people.password(tmp_path)
    people.hire(password=password, now=clock.now())
    user = User.objects.get(username="viewer-1")
    user.set_password("something else entirely")
    user.save()
    known = {login.name: login.password_known for login in people.hire(password=password, now=clock.now())}
    assert known.pop("viewer-1") is False
    assert all(known.values())


@pytest.mark.django_db
def test_secrets_are_readable_by_their_owner_only(tmp_path):
    people.password(tmp_path)
    people.open_shop(data_dir=tmp_path, now=clock.now())
    files = list((tmp_path / "secrets").iterdir())
    assert {file.name for file in files} == {"demo_password", "demo_api_key"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.django_db
def test_a_revoked_key_is_replaced(tmp_path):
    first = people.open_shop(data_dir=tmp_path, now=clock.now())
    prefix = first.requester.api_key_prefix
    access.revoke_key(prefix=prefix, reason="leaked", by=people.ACTOR, now=clock.now())
    second = people.open_shop(data_dir=tmp_path, now=clock.now())
    assert second.client == first.client
    assert second.secret != first.secret
    assert people.open_shop(data_dir=tmp_path, now=clock.now()) == second


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"until": 7}'])
def test_a_memory_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "demo.json").write_text(text)
    assert memory.read(tmp_path) is None


def test_a_memory_is_read_as_it_was_written(tmp_path):
    assert memory.read(tmp_path) is None
    story = memory.Memory.fresh(seed=1, payments=9, until=UNTIL, client="cli_1")
    memory.write(tmp_path, story)
    assert memory.read(tmp_path) == story


def test_the_storys_clock_moves_on_with_each_look_and_never_back():
    told = StoryClock(at=UNTIL, call_seconds=60, call_lasts=timedelta(seconds=3))
    looks = [told() for _ in range(50)]
    assert looks == sorted(set(looks))
    assert looks[-1] - UNTIL < timedelta(seconds=50 * 0.32)
    told.move_to(UNTIL)
    assert told.at == looks[-1]
    told.move_to(UNTIL + timedelta(days=1))
    assert told.at == UNTIL + timedelta(days=1)


def test_whoever_waited_in_vain_has_waited_as_long_as_a_call_may_take():
    told = StoryClock(at=UNTIL, call_seconds=0, call_lasts=timedelta(seconds=3))
    assert told() == UNTIL + timedelta(seconds=3)
