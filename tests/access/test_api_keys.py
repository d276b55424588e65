"""A key opens what it was given for, from its first moment until it is closed, and nothing else ever does."""

from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.views import APIView

from paymentops.access import operations, queries
from paymentops.access.api import Caller, KeyRefused, caller_of
from paymentops.access.models import ApiKey, Scope
from tests.access.conftest import BY, NOW

pytestmark = pytest.mark.django_db


class Payments(APIView):
    required_scopes = {"GET": Scope.PAYMENTS_READ, "POST": Scope.PAYMENTS_WRITE}

    def get(self, request):
        return HttpResponse(request.auth.client_public_id)

    def post(self, request):
        return HttpResponse(request.auth.key_prefix)


class Forgotten(APIView):
    get = Payments.get


urlpatterns = [path("api/v1/payments", Payments.as_view()), path("api/v1/forgotten", Forgotten.as_view())]
handler500 = "paymentops.core.api.server_error"


@pytest.fixture
def client(settings) -> Client:
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


def get(client, authorization, method="get", address="/api/v1/payments"):
    headers = {} if authorization is None else {"Authorization": authorization}
    return getattr(client, method)(address, headers=headers)


def test_a_good_key_says_who_calls(shop, issue) -> None:
    key, secret = issue("payments:read", "refunds:write")
    assert caller_of(secret=secret, now=NOW) == Caller(
        client_id=shop.id, key_prefix=key.prefix, scopes=frozenset({"payments:read", "refunds:write"})
    )


def test_a_good_key_opens_its_scope(client, shop, issue) -> None:
    _, secret = issue("payments:read")
    response = get(client, f"Api-Key {secret}")
    assert (response.status_code, response.content.decode()) == (200, shop.public_id)
    assert get(client, f"api-key   {secret} ").status_code == 200
    assert get(client, f"Api-Key {secret}", "head").status_code == 200
    assert get(client, f"Api-Key {secret}", "options").status_code == 200


def test_a_missing_scope_is_named(client, issue) -> None:
    _, secret = issue("payments:read")
    response = get(client, f"Api-Key {secret}", "post")
    assert (response.status_code, response.json()["code"]) == (403, "access.scope_missing")
    assert response.json()["scope"] == "payments:write"


def test_a_method_that_is_not_there_is_405_not_403(client, issue) -> None:
    _, secret = issue()
    assert get(client, f"Api-Key {secret}", "delete").status_code == 405


def test_a_view_that_names_no_scope_stays_shut(client, issue) -> None:
    _, secret = issue()
    response = get(client, f"Api-Key {secret}", address="/api/v1/forgotten")
    assert (response.status_code, response.json()["code"]) == (500, "service.failed")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Api-Key",
        "Api-Key ",
        "Bearer abc",
        "Basic YTpi",
        "Api-Key abc",
        "Api-Key po_0123456789_",
        "Api-Key po_0123456789_" + "x" * 42,
        "Api-Key po_0123456789_" + "x" * 43,
        "Api-Key po_0123456789_" + "x" * 44,
        "Api-Key PO_0123456789_" + "x" * 43,
        "Api-Key po_0123456789_" + "é" * 43,
        "Api-Key po_0123456789_" + "\x00" * 43,
        "Api-Key po_' OR 1=1 -- _" + "x" * 43,
        "Api-Key " + "x" * 100_000,
        "Api-Key a b c",
        "\xff\xfe",
    ],
)
def test_a_key_of_a_wrong_shape_is_401(client, authorization) -> None:
    response = get(client, authorization)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Api-Key"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] in ("access.key_missing", "access.key_refused")


def test_a_known_prefix_with_another_secret_opens_nothing(issue) -> None:
    key, secret = issue()
    forged = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    assert forged.startswith(key.prefix)
    with pytest.raises(KeyRefused, match="unknown"):
        caller_of(secret=forged, now=NOW)


def test_revocation_counts_from_the_next_call_on(issue) -> None:
    key, secret = issue()
    caller_of(secret=secret, now=NOW)
    operations.revoke_key(prefix=key.prefix, reason="leaked", by=BY, now=NOW)
    with pytest.raises(KeyRefused, match="revoked on 2026-11-22"):
        caller_of(secret=secret, now=NOW)


def test_a_key_ends_at_its_expiry_to_the_moment(issue) -> None:
    expires_at = NOW + timedelta(days=1)
    _, secret = issue(expires_at=expires_at)
    caller_of(secret=secret, now=expires_at - timedelta(microseconds=1))
    with pytest.raises(KeyRefused, match="expired"):
        caller_of(secret=secret, now=expires_at)


def test_a_disabled_client_is_shut_out_with_every_key(shop, issue) -> None:
    _, secret = issue()
    operations.disable_client(client_id=shop.id, reason="contract ended", by=BY, now=NOW)
    with pytest.raises(KeyRefused, match="disabled"):
        caller_of(secret=secret, now=NOW)


def test_two_keys_of_one_client_work_side_by_side(shop, issue) -> None:
    first, second = issue()[1], issue()[1]
    assert caller_of(secret=first, now=NOW).client_id == caller_of(secret=second, now=NOW).client_id == shop.id


def test_use_is_noted_at_most_once_a_minute(issue) -> None:
    key, secret = issue()
    for seconds in (0, 1, 59):
        caller_of(secret=secret, now=NOW + timedelta(seconds=seconds))
    key.refresh_from_db()
    assert key.last_used_at == NOW
    caller_of(secret=secret, now=NOW + timedelta(seconds=60))
    key.refresh_from_db()
    assert key.last_used_at == NOW + timedelta(seconds=60)


@pytest.mark.django_db(transaction=True)
def test_noting_the_use_never_waits_for_a_lock(issue) -> None:
    key, secret = issue()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            other.set_autocommit(False)
            cursor.execute("SELECT 1 FROM access_apikey WHERE id = %s FOR UPDATE", [key.id])
            with connection.cursor() as mine:
                mine.execute("SET lock_timeout = '50ms'")
            assert caller_of(secret=secret, now=NOW).key_prefix == key.prefix
            other.rollback()
    finally:
        with connection.cursor() as mine:
            mine.execute("RESET lock_timeout")
        other.close()


def test_the_secret_is_stored_nowhere(issue) -> None:
    key, secret = issue()
    key.refresh_from_db()
    stored = ApiKey.objects.filter(pk=key.pk).values_list().get()
    assert all(secret not in str(value) and secret[14:] not in str(value) for value in stored)
    assert key.digest == ApiKey.digest_of(secret)


def test_a_key_is_found_in_one_query(issue, django_assert_max_num_queries) -> None:
    key, _ = issue()
    with django_assert_max_num_queries(0):  # it goes round Django's cursor, straight to psycopg
        stored = queries.key_by_prefix(prefix=key.prefix)
    assert stored is not None
    assert (stored.id, stored.client_id) == (key.id, key.client_id)
    assert queries.key_by_prefix(prefix="po_0000000000") is None
