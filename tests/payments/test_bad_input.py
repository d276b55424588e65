"""Bad input is refused with a sentence that helps, never with a 5xx, and a refusal leaves nothing behind."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from paymentops.events.models import OutboxEvent
from paymentops.idempotency.models import IdempotencyKey, KeyUse
from paymentops.payments.models import Payment
from tests.payments.conftest import Api, make_api, payment_body

pytestmark = pytest.mark.django_db

KEY = "order-10293-attempt-1"
PROBLEM = "application/problem+json"
ABSENT = Ellipsis  # its text is the same in every process, as names of tests must be


def assert_refused(api: Api, response: Any, status: int | set[int], code: str | None = None) -> dict[str, Any]:
    """Check the form of a refusal, and that it left neither key nor payment behind."""
    allowed = {status} if isinstance(status, int) else status
    assert response.status_code in allowed, (response.status_code, response.content[:500])
    assert response.headers["Content-Type"].startswith(PROBLEM)
    problem = json.loads(response.content)
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:paymentops:problem:{problem['code']}"
    assert problem["detail"]
    if code is not None:
        assert problem["code"] == code
    assert not IdempotencyKey.objects.exists()
    assert not Payment.objects.exists()
    assert not OutboxEvent.objects.exists()
    return problem


def body_with(name: str, value: Any) -> dict[str, Any]:
    body = payment_body()
    if value is ABSENT:
        del body[name]
    else:
        body[name] = value
    return body


BAD_VALUES: list[tuple[str, Any]] = [
    *[("amount", value) for value in (ABSENT, None, True, "100", "1e2", 0, -1, -(2**63), 2**53, 2**63, 2**64, 10.5)],
    *[("amount", value) for value in (0.1, 1e300, [], {}, [100], {"value": 100})],
    *[("currency", value) for value in (ABSENT, None, "", "eur", "EURO", "XXX", "ZZZ", "E R", "€", 978, ["EUR"], {})],
    *[("method", value) for value in (ABSENT, None, "", "cash", "CARD", 1, [], {}, ["card"], True)],
    *[("payment_token", value) for value in (ABSENT, None, "", " ", "a" * 201, 1, [], {}, "tok\n", "tok\x07", "t\x7f")],
    *[("reference", value) for value in (ABSENT, None, "", "\t", "r" * 101, 1, False, [], {}, "a\x1bb", "a\u202eb")],
    *[("customer_reference", value) for value in ("c" * 101, 7, [], {}, "a\nb", "a\u0085b", "a\u2028b")],
    *[("capture", value) for value in (None, "", "AUTOMATIC", "later", 0, True, [], {})],
    *[("provider", value) for value in (None, "p" * 41, 1, [], {}, "a\nb")],
    *[("metadata", value) for value in (None, [], "text", 1, {"a": 1}, {"a": None}, {"a": ["b"]}, {"a": {"b": "c"}})],
    *[("metadata", value) for value in ({"": "x"}, {"n" * 41: "x"}, {"a": "x" * 501}, {"a": "\n"}, {"a\n": "b"})],
    ("metadata", {f"name-{n}": "x" for n in range(51)}),
    ("metadata", {f"name-{n}": "x" for n in range(10_000)}),
    ("amout", 100),
    ("id", "pay_1"),
    ("state", "CAPTURED"),
    ("__proto__", {}),
    ("n" * 1000, 1),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES, ids=lambda value: str(value)[:30])
def test_a_bad_value_is_named(api: Api, name, value) -> None:
    problem = assert_refused(api, api.post("payments", body_with(name, value), key=KEY), 400)
    assert problem["code"] in ("request.invalid", "request.malformed")
    if problem["code"] == "request.invalid":
        assert problem["errors"][0]["field"].split(".")[0] == name[:80]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"null",
        b"true",
        b"1",
        b'"text"',
        b"[]",
        b"[{}]",
        b"amount=1&currency=EUR",
        b"<payment/>",
        b"\xff\xfe",
        b"\x00",
        b"\xef\xbb\xbf{}",
        b'{"amount": 1, "amount": 2}',
        b'{"amount": NaN}',
        b'{"amount": Infinity}',
        b'{"amount": -Infinity}',
        b'{"amount": 1' + b"0" * 5000 + b"}",
        b'{"amount": 1e400}',
        b'{"amount": 1e-400}',
        b'{"amount": 0.' + b"0" * 5000 + b"1}",
        b'{"reference": "\\ud800"}',
        b'{"reference": "a\\u0000b"}',
        b'{"\\u0000": 1}',
        b'{"metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"metadata": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
        b'{"a": 01}',
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"reference": "' + "ü".encode("latin-1") + b'"}',
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_a_body_that_is_no_strict_json_object_is_refused(api: Api, raw: bytes) -> None:
    assert_refused(api, api.post("payments", raw, key=KEY), 400)


@pytest.mark.parametrize("currency", ["JPY", "KRW", "CLP"])
def test_a_currency_without_decimals_takes_whole_amounts_only(api: Api, currency) -> None:
    assert_refused(api, api.post("payments", payment_body(amount=500.5, currency=currency), key=KEY), 400)
    assert api.pay(key=KEY, amount=500, currency=currency)["amount"] == 500


@pytest.mark.parametrize("amount", [1, 2**53 - 1])
def test_the_smallest_and_the_largest_amount_are_accepted(api: Api, amount) -> None:
    assert api.pay(key=KEY, amount=amount)["amount"] == amount


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "", "application"],
)
def test_another_content_type_is_refused(api: Api, content_type) -> None:
    response = api.post("payments", payment_body(), key=KEY, **{"Content-Type": content_type})
    assert_refused(api, response, {400, 415})


def test_another_encoding_is_refused(api: Api) -> None:
    response = api.post("payments", payment_body(), key=KEY, **{"Content-Type": "application/json; charset=utf-16"})
    assert_refused(api, response, 415)


@pytest.mark.parametrize("path", ["payments", "payments/batch"])
def test_a_huge_body_is_refused(api: Api, path) -> None:
    raw = json.dumps(payment_body(metadata={"a": "x" * 5_000_000})).encode()
    assert_refused(api, api.post(path, raw, key=KEY), 413, "request.too_large")


# --- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", " ", "\t"])
def test_a_missing_key_is_refused(api: Api, key) -> None:
    assert_refused(api, api.post("payments", payment_body(), key=key), 400, "idempotency.key_missing")


@given(key=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), min_size=1, max_size=300))
@example(key="short")
@example(key="k" * 15)
@example(key="k" * 256)
@example(key='"order-10293-attempt-1')
@example(key='""')
@example(key="order 10293 attempt 1")
@example(key="order-10293-attempt-ü")
@example(key="order/10293/attempt/1")
@example(key="order-10293-attempt-1, order-10293-attempt-2")
@example(key='"order-10293-attempt-1";a=b')
@example(key="k" * 100_000)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_key_of_any_other_shape_is_refused(api: Api, key: str) -> None:
    inner = key.strip()
    inner = inner[1:-1] if len(inner) > 1 and inner[0] == inner[-1] == '"' else inner
    if 16 <= len(inner) <= 255 and all(letter.isascii() and (letter.isalnum() or letter in "_:.-") for letter in inner):
        return
    problem = assert_refused(api, api.post("payments", payment_body(), key=key), 400)
    assert problem["code"] in ("idempotency.key_malformed", "idempotency.key_missing")


@pytest.mark.parametrize("key", ["k" * 16, "k" * 255, "A-z_0:9.aaaaaaaaa", '"order-10293-attempt-1"'])
def test_a_key_of_the_right_shape_is_accepted(api: Api, key) -> None:
    api.pay(key=key)
    assert IdempotencyKey.objects.get().key == key.strip('"')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([*payment_body(), "customer_reference", "metadata", "idempotency_key"])


@given(changes=st.dictionaries(NAMES, JSON, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_makes_the_service_fail(api: Api, changes: dict[str, Any]) -> None:
    raw = json.dumps(payment_body() | changes).encode("utf-8", "surrogatepass")
    response = api.post("payments", raw, key=KEY)
    assert response.status_code in (201, 400, 422), response.content
    items = json.dumps({"payments": [payment_body() | changes, changes]}).encode("utf-8", "surrogatepass")
    assert api.post("payments/batch", items).status_code in (200, 400)


@given(raw=st.binary(max_size=200))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_the_service_fail(api: Api, raw: bytes) -> None:
    for path in ("payments", "payments/batch", f"payments/pay_{'0' * 32}/refunds", "webhooks/sandbox"):
        assert api.post(path, raw, key=KEY).status_code in (400, 401, 404)


# --- a refusal leaves no key behind --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status"),
    [({"amount": -1}, 400), ({"currency": "ZZZ"}, 400), ({"provider": "nobody"}, 422), ({"metadata": {"a": 1}}, 400)],
)
def test_a_corrected_request_may_use_the_same_key(api: Api, change, status) -> None:
    """midaz#709: a refused request burned the key."""
    refused = api.post("payments", payment_body(**change), key=KEY)
    assert refused.status_code == status, refused.content
    accepted = api.post("payments", payment_body(), key=KEY)
    assert accepted.status_code == 201
    assert "Idempotent-Replayed" not in accepted.headers


def test_two_equal_requests_with_two_keys_are_two_payments(api: Api) -> None:
    """midaz#1436: two legitimate equal requests blocked each other."""
    assert api.pay(key="order-10293-first-one")["id"] != api.pay(key="order-10293-second-one")["id"]


def test_a_refused_refund_leaves_its_key_free(api: Api) -> None:
    payment = api.pay(key=KEY)
    path = f"payments/{payment['id']}/refunds"
    for body, status in (({"amount": -1}, 400), ({"amount": "1"}, 400), ({"amount": 1}, 409), ({"why": "x"}, 400)):
        assert api.post(path, body, key="refund-one-10293").status_code == status
    assert IdempotencyKey.objects.count() == 1


# --- whose it is ---------------------------------------------------------------------------------------------------


def test_the_same_key_of_two_clients_never_collides(api: Api) -> None:
    other = make_api("other shop")
    first, second = api.pay(key=KEY), other.pay(key=KEY, amount=1)
    assert first["id"] != second["id"]
    assert api.post("payments", payment_body(), key=KEY).json() == first
    assert other.post("payments", payment_body(amount=1), key=KEY).json() == second


def test_another_clients_payment_is_not_there(api: Api) -> None:
    payment = api.pay(key=KEY)
    other = make_api("other shop")
    assert other.get(f"payments/{payment['id']}").status_code == 404
    for action in ("captures", "cancel", "refunds"):
        assert other.post(f"payments/{payment['id']}/{action}", {}, key="other-key-10293-1").status_code == 404
    assert other.get("payments").json()["results"] == []
    assert IdempotencyKey.objects.count() == 1


def test_a_missing_scope_is_refused(api: Api) -> None:
    payment = api.pay(key=KEY)
    reader, writer = make_api("reader", ["payments:read"]), make_api("writer", ["payments:write"])
    for response in (
        reader.post("payments", payment_body(), key="other-key-10293-1"),
        reader.post("payments/batch", {"payments": []}),
        reader.post(f"payments/{payment['id']}/cancel", {}, key="other-key-10293-1"),
        writer.post(f"payments/{payment['id']}/refunds", {"amount": 1}, key="other-key-10293-1"),
        writer.get("payments"),
        writer.get(f"payments/{payment['id']}"),
    ):
        assert response.status_code == 403, response.content
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.parametrize("secret", ["", "wrong", "x" * 10_000, "po_test_1234567890_abcdefghijklmnopqrstuvwxyz"])
def test_a_wrong_api_key_is_refused(api: Api, secret) -> None:
    api.secret = secret
    assert_refused(api, api.post("payments", payment_body(), key=KEY), 401)


# --- paths, queries and preferences --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad_id",
    ["1", "pay_", "pay_1", "pay_" + "g" * 32, "pay_" + "0" * 31, "pay_" + "0" * 33, "ref_" + "0" * 32, "pay_%00", "é"],
)
def test_a_bad_id_is_not_found(api: Api, bad_id) -> None:
    for path in (f"payments/{bad_id}", f"refunds/{bad_id}", f"captures/{bad_id}"):
        assert api.get(path).status_code == 404
    for action in ("captures", "cancel", "refunds"):
        assert_refused(api, api.post(f"payments/{bad_id}/{action}", {}, key=KEY), 404)


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "cD0lMDA="},
        {"cursor": "cD1ub3QtYS11dWlk"},
        {"cursor": "bz0xMDAwMDAwMDAwMDAwMDAwMDAwMDAw"},
        {"cursor": "\x00"},
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "x"},
        {"limit": "9" * 5000},
        {"state": "nowhere"},
        {"state": "\x00"},
        {"currency": "eur"},
        {"amount_from": "x"},
        {"amount_from": "1.5"},
        {"amount_to": "-1"},
        {"amount_to": "9" * 40},
        {"created_from": "yesterday"},
        {"created_until": "9999-99-99"},
        {"created_from": "0001-01-01T00:00:00+14:00"},
        {"created_until": "9999-12-31T23:59:59-14:00"},
        {"reference": "\x00"},
        {"reference": "x" * 10_000},
        {"provider": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")},
    ],
    ids=lambda query: str(query)[:40],
)
def test_a_bad_query_never_fails_the_service(api: Api, query) -> None:
    api.pay(key=KEY)
    response = api.get("payments", **query)
    assert response.status_code in (200, 400, 404), (response.status_code, response.content[:300])


@pytest.mark.parametrize(
    "prefer",
    [
        "",
        "wait",
        "wait=",
        "wait=x",
        "wait=-1",
        "wait=0",
        "wait=99999999999",
        "respond-async",
        "wait=1.5",
        "\x00",
        "ü",
        ",",
    ],
)
def test_a_preference_that_cannot_be_read_is_ignored(api: Api, prefer) -> None:
    response = api.post("payments", payment_body(), key=KEY, Prefer=prefer)
    assert response.status_code == 201
    assert "Preference-Applied" not in response.headers


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_another_method_is_refused(api: Api, method) -> None:
    headers = {"Authorization": f"Api-Key {api.secret}"}
    for path in ("payments", "payments/batch", f"payments/pay_{'0' * 32}", f"payments/pay_{'0' * 32}/refunds"):
        assert getattr(api.http, method)(f"/api/v1/{path}", headers=headers).status_code == 405


# --- batches -------------------------------------------------------------------------------------------------------


def item(key: str, **changes: Any) -> dict[str, Any]:
    return {"idempotency_key": key, **payment_body(**changes)}


def test_a_bad_item_does_not_fail_the_others(api: Api) -> None:
    other = api.pay(key="order-used-already", amount=7)
    items = [
        item("order-1-attempt-one"),
        item("order-2-attempt-one", amount=-1),
        item("short"),
        {"amount": 1},
        "no object",
        item("order-used-already"),
        item("order-used-already", amount=7),
        item("order-3-attempt-one", provider="nobody"),
        item("order-4-attempt-one"),
    ]
    answer = api.post("payments/batch", {"payments": items})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201, 400, 400, 400, 400, 422, 201, 422, 201]
    assert results[6] == {"status": 201, "replayed": True, "body": other}
    assert results[1]["body"]["errors"][0]["field"] == "amount"
    assert results[2]["body"]["code"] == "idempotency.key_malformed"
    assert results[5]["body"]["fields"] == ["amount"]
    assert Payment.objects.count() == 3


def test_the_same_key_twice_in_one_batch_counts_once(api: Api) -> None:
    items = [item(KEY), item(KEY), item(KEY, amount=1)]
    first, again, other = api.post("payments/batch", {"payments": items}).json()["results"]
    assert (first["status"], first["replayed"]) == (201, False)
    assert (again["status"], again["replayed"], again["body"]) == (201, True, first["body"])
    assert (other["status"], other["body"]["code"]) == (422, "idempotency.key_reused")
    assert Payment.objects.count() == 1


def test_a_single_retry_replays_an_item_of_a_batch_and_a_batch_a_single_one(api: Api) -> None:
    batch = api.post("payments/batch", {"payments": [item(KEY)]})
    single = api.post("payments", payment_body(), key=KEY)
    assert single.headers["Idempotent-Replayed"] == "true"
    assert single.content in batch.content
    first = api.post("payments", payment_body(), key="order-10294-attempt-1")
    assert first.content in api.post("payments/batch", {"payments": [item("order-10294-attempt-1")]}).content


def test_a_whole_batch_replays_byte_for_byte(api: Api) -> None:
    items = {"payments": [item(f"order-{n:04d}-attempt-one", amount=n + 1) for n in range(1000)]}
    first, again = api.post("payments/batch", items), api.post("payments/batch", items)
    assert again.content == first.content.replace(b'"replayed":false', b'"replayed":true')
    assert Payment.objects.count() == 1000
    assert KeyUse.objects.count() == 1000


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"payments": []},
        {"payments": {}},
        {"payments": None},
        {"payments": [{}], "more": 1},
        {"payments": [payment_body()] * 1001},
    ],
    ids=lambda document: str(document)[:30],
)
def test_a_batch_of_the_wrong_shape_is_refused(api: Api, document) -> None:
    assert_refused(api, api.post("payments/batch", document), 400, "request.invalid")


def test_a_reused_key_never_shows_the_stored_values(api: Api) -> None:
    """midaz: the same key with another body was silently answered with the first result."""
    api.pay(key=KEY, amount=424242, reference="secret-reference")
    refused = api.post("payments", payment_body(), key=KEY)
    assert refused.status_code == 422
    assert b"424242" not in refused.content
    assert b"secret-reference" not in refused.content
    assert KeyUse.objects.get().outcome == "REFUSED"


def test_a_key_that_moves_to_another_payment_is_refused(api: Api) -> None:
    one, two = api.pay(key="order-1-attempt-one"), api.pay(key="order-2-attempt-one")
    assert api.post(f"payments/{one['id']}/cancel", {}, key="cancel-key-10293").status_code == 201
    refused = api.post(f"payments/{two['id']}/cancel", {}, key="cancel-key-10293")
    assert (refused.status_code, refused.json()["fields"]) == (422, ["payment"])


def test_the_same_request_written_differently_is_the_same_request(api: Api) -> None:
    first = api.pay(key=KEY, amount=100, reference="Caf\u00e9", metadata={"a": "1", "b": "2"})
    body = payment_body(amount=100, reference="Cafe\u0301", metadata={"b": "2", "a": "1"}, customer_reference=None)
    raw = json.dumps(dict(reversed(body.items())), indent=3).replace('"amount": 100', '"amount": 1.0e2').encode()
    again = api.post("payments", raw, key=KEY)
    assert (again.status_code, again.json()) == (201, first)
    assert again.headers["Idempotent-Replayed"] == "true"
