"""Whatever goes wrong at the HTTP door, the answer is a problem document and tells nothing about the inside."""

import json

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.views import APIView

from paymentops.core import api
from paymentops.core.errors import Conflict


class Inner(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()


class Body(serializers.Serializer):
    amount = serializers.IntegerField(min_value=1)
    inner = Inner()
    items = Inner(many=True, required=False)


RAISED = {
    "conflict": Conflict("It was captured already.", extra={"state": "CAPTURED"}, headers={"X-Extra": "1"}),
    "operational": OperationalError("connection to server at 10.0.0.7 failed: secret"),
    "interface": InterfaceError("the connection is closed"),
    "psycopg": psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"),
    "http404": Http404("no Payment matches"),
    "denied": PermissionDenied("internal"),
    "drf_denied": exceptions.PermissionDenied(),
    "unauthenticated": exceptions.NotAuthenticated(),
    "throttled": exceptions.Throttled(wait=2.2),
    "suspicious": SuspiciousOperation("internal"),
    "unforeseen": ZeroDivisionError("internal"),
    "teapot": type("Teapot", (exceptions.APIException,), {"status_code": 418})("short and stout"),
    "surrogate": Conflict("half \ud800 pair"),
}


class Anything(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, _request, kind):
        raise RAISED[kind]

    def post(self, request, kind):
        if kind == "validate":
            Body(data=request.data).is_valid(raise_exception=True)
        elif kind != "echo":
            raise RAISED[kind]
        return HttpResponse(json.dumps(request.data), content_type="application/json")


urlpatterns = [path("api/anything/<kind>", Anything.as_view()), path("page", lambda _: HttpResponse("page"))]
handler400 = "paymentops.core.api.bad_request"
handler403 = "paymentops.core.api.permission_denied"
handler404 = "paymentops.core.api.not_found"
handler500 = "paymentops.core.api.server_error"


@pytest.fixture
def client(settings) -> Client:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["paymentops.core.api.RequestIdMiddleware"]
    return Client(raise_request_exception=False)


def problem(response) -> dict:
    assert response.headers["Content-Type"] == "application/problem+json"
    document = json.loads(response.content)
    assert document["status"] == response.status_code
    assert document["type"] == f"urn:paymentops:problem:{document['code']}"
    assert {"title", "detail"} <= document.keys()
    return document


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("conflict", 409, "resource.conflict"),
        ("operational", 503, "service.unavailable"),
        ("interface", 503, "service.unavailable"),
        ("psycopg", 503, "service.unavailable"),
        ("http404", 404, "resource.not_found"),
        ("denied", 403, "access.denied"),
        ("drf_denied", 403, "access.denied"),
        ("throttled", 429, "request.throttled"),
        ("suspicious", 400, "request.malformed"),
        ("surrogate", 409, "resource.conflict"),
    ],
)
def test_a_refusal_has_its_own_code(client, kind, status, code) -> None:
    document = problem(client.get(f"/api/anything/{kind}"))
    assert (document["status"], document["code"]) == (status, code)
    assert "internal" not in json.dumps(document)
    assert "secret" not in json.dumps(document)


def test_headers_and_members_of_an_error_reach_the_caller(client) -> None:
    response = client.get("/api/anything/conflict")
    assert response.headers["X-Extra"] == "1"
    assert problem(response)["state"] == "CAPTURED"
    assert client.get("/api/anything/operational").headers["Retry-After"] == "1"
    assert client.get("/api/anything/throttled").headers["Retry-After"] == "3"


def test_a_store_that_does_not_answer_a_write_never_lets_the_guard_be_skipped(client) -> None:
    response = client.post("/api/anything/operational", "{}", content_type="application/json")
    assert (response.status_code, problem(response)["code"]) == (503, "idempotency.store_unavailable")


def test_an_unforeseen_failure_is_found_again_by_its_request_id(client, caplog) -> None:
    response = client.get("/api/anything/unforeseen", headers={"X-Request-Id": "call-0815-x"})
    document = problem(response)
    assert (document["status"], document["code"], document["request_id"]) == (500, "service.failed", "call-0815-x")
    assert response.headers["X-Request-Id"] == "call-0815-x"
    assert "internal" not in response.content.decode()
    assert any(record.exc_info for record in caplog.records)


def test_a_refusal_without_words_of_ours_is_left_to_django(client) -> None:
    assert problem(client.get("/api/anything/teapot"))["code"] == "service.failed"


def test_every_answer_has_a_request_id_and_a_strange_one_is_replaced(client) -> None:
    made = client.get("/api/anything/conflict").headers["X-Request-Id"]
    assert len(made) == 32
    strange = client.get("/api/anything/conflict", headers={"X-Request-Id": "a b<script>"}).headers["X-Request-Id"]
    assert len(strange) == 32
    assert strange != made


def test_each_wrong_field_is_named_with_its_path(client) -> None:
    body = {"amount": 0, "inner": {"code": "x"}, "items": [{"code": "a", "message": "b"}, {"code": "a"}]}
    response = client.post("/api/anything/validate", json.dumps(body), content_type="application/json")
    document = problem(response)
    assert (document["status"], document["code"]) == (400, "request.invalid")
    assert {(error["field"], error["code"]) for error in document["errors"]} == {
        ("amount", "min_value"),
        ("inner.message", "required"),
        ("items.1.message", "required"),
    }
    assert document["detail"] == "Correct amount, inner.message, items.1.message."


@pytest.mark.parametrize("body", ["[]", '"text"', "7", "null", "true"])
def test_a_body_of_another_shape_is_invalid_not_a_failure(client, body) -> None:
    response = client.post("/api/anything/validate", body, content_type="application/json")
    assert problem(response)["code"] == "request.invalid"


@pytest.mark.parametrize("body", [b"{", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"\xff", b"[" * 10_000])
def test_a_body_that_is_no_json_is_malformed(client, body) -> None:
    response = client.post("/api/anything/echo", body, content_type="application/json")
    assert (response.status_code, problem(response)["code"]) == (400, "request.malformed")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "junk",
     "application/json; charset=latin-1", "application/json; charset=utf-16", ""],
)  # fmt: skip
def test_only_json_in_utf_8_is_read(client, content_type) -> None:
    response = client.post("/api/anything/echo", b'{"a": 1}', content_type=content_type)
    assert (response.status_code, problem(response)["code"]) == (415, "request.media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8"]
)
def test_json_is_read_with_and_without_charset(client, content_type) -> None:
    assert client.post("/api/anything/echo", b'{"a": 1.0}', content_type=content_type).json() == {"a": 1}


def test_a_huge_body_is_refused_unread(client, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = client.post("/api/anything/echo", b'"' + b"x" * 2000 + b'"', content_type="application/json")
    assert (response.status_code, problem(response)["code"]) == (413, "request.too_large")


def test_a_method_that_is_not_there_is_405(client) -> None:
    response = client.delete("/api/anything/conflict")
    assert (response.status_code, problem(response)["code"]) == (405, "request.method_not_allowed")


def test_an_answer_in_another_media_type_cannot_be_had(client) -> None:
    response = client.get("/api/anything/conflict", headers={"Accept": "text/html"})
    assert (response.status_code, problem(response)["code"]) == (406, "request.not_acceptable")


def test_an_unknown_address_of_the_api_is_a_problem_document(client) -> None:
    assert problem(client.get("/api/v1/nothing"))["code"] == "resource.not_found"


def test_pages_for_people_keep_their_own_error_pages(client) -> None:
    response = client.get("/nothing")
    assert (response.status_code, response.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_djangos_own_refusals_are_problem_documents_for_the_api() -> None:
    request = RequestFactory().get("/api/v1/payments")
    assert problem(api.bad_request(request, SuspiciousOperation("internal")))["code"] == "request.malformed"
    assert problem(api.permission_denied(request, PermissionDenied("internal")))["code"] == "access.denied"
    page = RequestFactory().get("/console/")
    assert api.bad_request(page, SuspiciousOperation("x")).status_code == 400
    assert api.permission_denied(page, PermissionDenied("x")).status_code == 403
    assert api.server_error(page).status_code == 500


def test_openapi_knows_the_problem_document() -> None:
    assert set(api.problems(401, 404)) == {(401, "application/problem+json"), (404, "application/problem+json")}
    assert set(api.Problem().fields) == {"type", "title", "status", "code", "detail", "errors"}
