"""The operator's door to clients and keys."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from paymentops.access.api import KeyRefused, caller_of
from paymentops.access.models import ApiClient, ApiKey
from paymentops.core import clock

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("api_client", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_key_stands_alone_on_the_last_line_and_works() -> None:
    lines = run("create", "shop", "--scopes", "payments:read, payments:write")
    caller = caller_of(secret=lines[-1], now=clock.now())
    assert caller.scopes == {"payments:read", "payments:write"}
    assert "does not expire" in lines[0]


def test_the_same_name_gets_a_further_key() -> None:
    keys = {run("create", "shop", "--scopes", "payments:read")[-1] for _ in range(2)}
    assert len(keys) == 2
    assert ApiClient.objects.count() == 1


def test_a_key_can_be_given_an_end() -> None:
    lines = run("create", "shop", "--scopes", "payments:read", "--expires-in-days", "30")
    assert "expires 2" in lines[0]
    assert ApiKey.objects.get().expires_at is not None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["create", "shop", "--scopes", "payments:all"], "Unknown scope payments:all. There are: payments:read"),
        (["create", "shop", "--scopes", ","], "A key needs a scope. There are: payments:read"),
        (["create", "", "--scopes", "payments:read"], "printable"),
        (["create", "shop", "--scopes", "payments:read", "--expires-in-days", "0"], "1 to 3650"),
        (["revoke", "po_none", "--reason", "leaked"], "There is no API key"),
        (["revoke", "po_none", "--reason", " "], "Say why"),
    ],
)
def test_a_mistake_is_explained(arguments, sentence) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)
    assert not ApiClient.objects.exists()


def test_list_shows_every_key_without_its_secret() -> None:
    secret = run("create", "shop", "--scopes", "payments:read")[-1]
    prefix = ApiKey.objects.get().prefix
    text = "\n".join(run("list"))
    assert prefix in text
    assert "usable" in text
    assert secret not in text


def test_revoke_closes_the_key() -> None:
    secret = run("create", "shop", "--scopes", "payments:read")[-1]
    assert "revoked" in run("revoke", ApiKey.objects.get().prefix, "--reason", "leaked")[0]
    with pytest.raises(KeyRefused):
        caller_of(secret=secret, now=clock.now())
    assert "revoked" in "\n".join(run("list"))
