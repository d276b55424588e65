"""Everything somebody does to clients and keys leaves its audit row, in the same transaction."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from paymentops.access import operations
from paymentops.access.actors import Actor
from paymentops.access.models import ActorKind, ApiClient, ApiKey, AuditEntry, User
from paymentops.core.errors import Conflict, InvalidInput
from tests.access.conftest import BY, NOW

pytestmark = pytest.mark.django_db


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_the_life_of_a_key_is_written_down(shop, issue) -> None:
    key, secret = issue("ledger:read", "payments:read", "ledger:read")
    operations.revoke_key(prefix=key.prefix, reason=" leaked ", by=BY, now=NOW + timedelta(hours=1))
    assert sorted(actions()) == ["api_client.create", "api_key.issue", "api_key.revoke"]
    issued, revoked = AuditEntry.objects.filter(object_id=key.prefix).order_by("at")
    assert issued.after == {"client": shop.public_id, "scopes": ["ledger:read", "payments:read"], "expires_at": None}
    assert (revoked.reason, revoked.before, revoked.actor_kind) == ("leaked", {"revoked_at": None}, ActorKind.COMMAND)
    assert not AuditEntry.objects.filter(after__icontains=secret).exists()


def test_revoking_twice_has_one_effect(issue) -> None:
    key, _ = issue()
    first = operations.revoke_key(prefix=key.prefix, reason="leaked", by=BY, now=NOW)
    again = operations.revoke_key(prefix=key.prefix, reason="again", by=BY, now=NOW + timedelta(days=1))
    assert first.revoked_at == again.revoked_at == NOW
    assert actions().count("api_key.revoke") == 1


def test_disabling_twice_has_one_effect(shop) -> None:
    for day in (0, 1):
        operations.disable_client(client_id=shop.id, reason="ended", by=BY, now=NOW + timedelta(days=day))
    shop.refresh_from_db()
    assert shop.disabled_at == NOW
    assert actions().count("api_client.disable") == 1
    with pytest.raises(Conflict, match="disabled"):
        operations.issue_key(client=shop, scopes=["payments:read"], expires_at=None, by=BY, now=NOW)


@pytest.mark.parametrize("scopes", [[], ["payments:everything"], ["payments:read", "root"]])
def test_only_scopes_that_exist_are_given(shop, scopes) -> None:
    with pytest.raises(operations.UnknownScope, match="payments:read, payments:write"):
        operations.issue_key(client=shop, scopes=scopes, expires_at=None, by=BY, now=NOW)
    assert not ApiKey.objects.exists()


def test_no_key_is_born_expired(shop) -> None:
    with pytest.raises(InvalidInput, match="future"):
        operations.issue_key(client=shop, scopes=["payments:read"], expires_at=NOW, by=BY, now=NOW)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\0b", "a\nb"])
def test_a_client_has_a_printable_name(name) -> None:
    with pytest.raises(InvalidInput, match="printable"):
        operations.create_client(name=name, by=BY, now=NOW)


def test_a_clients_name_is_its_own(shop) -> None:
    with pytest.raises(Conflict, match="already"):
        operations.create_client(name="shop", by=BY, now=NOW)


def test_a_reason_is_required(shop, issue) -> None:
    key, _ = issue()
    with pytest.raises(InvalidInput, match="why"):
        operations.revoke_key(prefix=key.prefix, reason=" ", by=BY, now=NOW)
    with pytest.raises(InvalidInput, match="why"):
        operations.disable_client(client_id=shop.id, reason="", by=BY, now=NOW)
    with pytest.raises(InvalidInput, match="no API key"):
        operations.revoke_key(prefix="po_none", reason="leaked", by=BY, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_an_audit_row_belongs_to_the_transaction_of_the_deed() -> None:
    with pytest.raises(operations.NotInTransaction):
        operations.audit(action="x.y", actor=BY, object_type="x", object_id="1", now=NOW)
    with transaction.atomic():
        operations.audit(action="x.y", actor=BY, object_type="x", object_id="1", now=NOW)
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


def test_an_audit_row_says_who_and_from_where() -> None:
    user = User.objects.create_user("ada")
    actor = Actor.person(user, request_id="req-1", ip="10.0.0.1")
    entry = operations.audit(
        action="x.y",
        actor=actor,
        object_type="x",
        object_id="1",
        before={"a": 1},
        after={"a": 2},
        reason="why",
        now=NOW,
    )
    entry.refresh_from_db()
    assert (entry.actor_kind, entry.actor, entry.user) == (ActorKind.PERSON, "ada", user)
    assert (entry.request_id, entry.ip, entry.at, str(entry)) == ("req-1", "10.0.0.1", NOW, "ada x.y x 1")
    assert Actor.client("cli_1").kind == ActorKind.CLIENT
    assert Actor.system("events.relay").kind == ActorKind.SYSTEM


@pytest.mark.parametrize("change", [lambda rows: rows.update(reason="other"), lambda rows: rows.delete()])
def test_nobody_changes_what_was_written_down(shop, change) -> None:
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        change(AuditEntry.objects.all())
    assert actions() == ["api_client.create"]


def test_the_database_refuses_a_key_without_scopes_or_digest(shop) -> None:
    for number, wrong in enumerate([{"scopes": []}, {"digest": "short"}]):
        row = {"scopes": ["payments:read"], "digest": "0" * 64, **wrong}
        with pytest.raises(IntegrityError), transaction.atomic():
            ApiKey.objects.create(id=shop.id, client=shop, prefix=f"po_{number}", created_at=NOW, **row)


def test_a_further_key_by_name_keeps_the_client(shop) -> None:
    make = {"scopes": ["payments:read"], "expires_at": None, "by": BY, "now": NOW}
    first, _ = operations.issue_key_by_name(name=" shop ", **make)
    other, _ = operations.issue_key_by_name(name="kiosk", **make)
    assert (first.client, other.client.name) == (shop, "kiosk")
    assert ApiClient.objects.count() == 2
