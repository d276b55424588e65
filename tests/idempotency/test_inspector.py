"""A client can ask what became of its key, and learns nothing about anybody else's."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.core import ids
from paymentops.idempotency import operations
from paymentops.idempotency.fingerprint import Fingerprint
from paymentops.idempotency.models import Operation

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BY = Actor.command("test")
KEY = "order-10293-attempt-1"
urlpatterns = [path("api/v1/", include("paymentops.idempotency.urls"))]
handler404 = "paymentops.core.api.not_found"


@pytest.fixture(autouse=True)
def urls(settings) -> None:
    settings.ROOT_URLCONF = __name__


class Caller:
    def __init__(self, name: str, *scopes: str) -> None:
        self.key, self.secret = access.issue_key_by_name(
            name=name, scopes=scopes or ["payments:read"], expires_at=None, by=BY, now=NOW
        )

    def get(self, key: str):
        headers = {"Authorization": f"Api-Key {self.secret}"}
        return Client(headers=headers).get(f"/api/v1/idempotency-keys/{quote(key, safe='')}")

    def used(self, operation: Operation = Operation.CREATE_PAYMENT, resource_type="payment", *, now=NOW):
        use = operations.Use(
            client_id=self.key.client_id,
            api_key_prefix=self.key.prefix,
            operation=operation,
            key=KEY,
            fingerprint=Fingerprint(digest=b"\x07" * 32, fields={"amount": "abc"}),
        )
        return operations.claim(use=use, resource_type=resource_type, resource_id=ids.new(now), now=now)


def test_the_first_use_is_told(django_assert_num_queries) -> None:
    shop = Caller("shop")
    claimed = shop.used()
    with django_assert_num_queries(2):  # the key's story, and noting the use of the API key
        response = shop.get(KEY)
    assert response.status_code == 200
    assert response.json() == {
        "key": KEY,
        "client": shop.key.client.public_id,
        "uses": [
            {
                "operation": "payments.create",
                "state": "COMPLETED",
                "resource_type": "payment",
                "resource_id": ids.public(ids.Prefix.PAYMENT, claimed.resource_id),
                "first_used_at": "2026-11-22T09:30:00.000000Z",
                "api_key_prefix": shop.key.prefix,
                "replays": 0,
                "refused_reuses": 0,
                "last_replay_at": None,
                "fingerprint": "07" * 32,
                "fingerprint_version": claimed.fingerprint_version,
                "trace_id": "",
            }
        ],
    }


def test_later_uses_are_counted() -> None:
    shop = Caller("shop")
    claimed = shop.used()
    for minutes in (1, 2, 3):
        operations.note_replay(key_id=claimed.id, api_key_prefix="po_x", now=NOW + timedelta(minutes=minutes))
    operations.note_refusal(key_id=claimed.id, api_key_prefix="po_x", now=NOW + timedelta(minutes=9))
    (use,) = shop.get(KEY).json()["uses"]
    assert (use["replays"], use["refused_reuses"]) == (3, 1)
    assert use["last_replay_at"] == "2026-11-22T09:33:00.000000Z"


def test_one_key_serves_several_operations() -> None:
    shop = Caller("shop")
    shop.used(Operation.REFUND, "refund", now=NOW + timedelta(hours=3))
    shop.used()
    shop.used(Operation.CAPTURE, "capture", now=NOW + timedelta(hours=1))
    shop.used(Operation.CANCEL, "cancellation", now=NOW + timedelta(hours=2))
    uses = shop.get(KEY).json()["uses"]
    assert [use["operation"] for use in uses] == [
        "payments.create",
        "payments.capture",
        "payments.cancel",
        "payments.refund",
    ]
    assert [use["resource_id"][:4] for use in uses] == ["pay_", "cap_", "can_", "ref_"]


def test_another_clients_equal_key_is_not_seen() -> None:
    shop, kiosk = Caller("shop"), Caller("kiosk")
    shop.used()
    response = kiosk.get(KEY)
    assert (response.status_code, response.json()["code"]) == (404, "idempotency.key_unknown")
    kiosk.used()
    assert shop.get(KEY).json()["uses"][0]["resource_id"] != kiosk.get(KEY).json()["uses"][0]["resource_id"]


def test_the_quoted_form_names_the_same_key() -> None:
    shop = Caller("shop")
    shop.used()
    assert shop.get(f'"{KEY}"').json()["key"] == KEY


@pytest.mark.parametrize(
    "key", ["short", "x" * 256, "a b c d e f g h i j", "ключ-ключ-ключ-ключ", "\0" * 20, "../" * 9, " "]
)
def test_what_cannot_be_a_key_is_refused(key) -> None:
    response = Caller("shop").get(key)
    assert response.status_code in (400, 404)
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_scope_is_required() -> None:
    response = Caller("shop", "payments:write").get(KEY)
    assert (response.status_code, response.json()["scope"]) == (403, "payments:read")


def test_openapi_describes_it() -> None:
    schema = SchemaGenerator(patterns=urlpatterns).get_schema(request=None, public=True)
    operation = schema["paths"]["/api/v1/idempotency-keys/{key}"]["get"]
    assert operation["security"] == [{"ApiKey": []}]
    assert set(operation["responses"]) == {"200", "400", "401", "403", "404"}
    assert list(operation["responses"]["404"]["content"]) == ["application/problem+json"]
    assert schema["components"]["securitySchemes"]["ApiKey"]["name"] == "Authorization"
