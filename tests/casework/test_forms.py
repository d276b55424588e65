"""A form counts once, however often and however fast it is sent."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from paymentops.access.models import Team
from paymentops.casework import operations
from paymentops.casework.models import FormToken
from paymentops.core.errors import Conflict, InvalidInput
from tests.casework.conftest import NOW, person

pytestmark = pytest.mark.django_db
TOKEN = "a-random-token-of-the-form"


def send(user, *, work, action: str = "team.make", token: str = TOKEN, now=NOW) -> operations.Submission:
    return operations.submit_once(user=user, action=action, token=token, work=work, now=now)


def make(name: str = "made") -> str:
    return f"team {Team.objects.create(name=name).name}"


def test_a_second_submit_returns_the_first_result() -> None:
    user = person("maker").user
    assert send(user, work=make) == operations.Submission("team made", first=True)
    assert send(user, work=lambda: pytest.fail("It was done again.")) == operations.Submission("team made", first=False)


def test_a_token_counts_per_person_and_action() -> None:
    user, other = person("maker").user, person("other").user
    send(user, work=lambda: "1")
    assert send(other, work=lambda: "2").result == "2"
    assert send(user, work=lambda: "3", action="team.close").result == "3"


def test_a_refused_form_may_be_corrected_and_sent_again() -> None:
    def refuse() -> str:
        make()
        raise Conflict("Not like this.")

    user = person("maker").user
    with pytest.raises(Conflict):
        send(user, work=refuse)
    assert not Team.objects.exists()
    assert send(user, work=make).first


@pytest.mark.parametrize("token", ["", "short", "x" * 65, "with spaces in the token", "with-newline-at-the-end\n"])
def test_a_form_without_a_usable_token_is_refused(token) -> None:
    with pytest.raises(InvalidInput, match="again"):
        send(person("maker").user, work=make, token=token)


def test_old_forms_are_forgotten() -> None:
    user = person("maker").user
    send(user, work=lambda: "old")
    send(user, work=lambda: "new", token=TOKEN[::-1], now=NOW + timedelta(days=2))
    assert operations.forget_forms(before=NOW + timedelta(days=1), limit=10) == 1
    assert FormToken.objects.get().result == "new"


@pytest.mark.django_db(transaction=True)
def test_forms_sent_at_once_have_one_effect() -> None:
    user = person("maker").user
    start = Barrier(4)

    def submit(number: int) -> operations.Submission:
        try:
            start.wait(timeout=10)
            return send(user, work=lambda: make(f"team-{number}"))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(submit, range(4)))
    assert {answer.result for answer in answers} == {f"team {Team.objects.get().name}"}
    assert [answer.first for answer in answers].count(True) == 1
