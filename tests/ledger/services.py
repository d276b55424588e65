"""Shared words of the tests of the books' HTTP door: services with scopes, and books worth reading."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger import operations as ledger
from ledger import postings
from ledger.models import Entry
from tests.ledger.books import PARTIES, day, eur, post
from tests.payments.conftest import Api, make_api

__all__ = ["Api", "answer", "books", "queries_of", "reader", "refused", "writer"]

PAYMENT = UUID(int=7)


def reader() -> Api:
    return make_api("controlling", ["ledger:read"])


def writer(name: str = "treasury") -> Api:
    return make_api(name, ["ledger:read", "ledger:write"])


def books() -> list[Entry]:
    """Two sales and a hold in January, one of them reversed in February; all but the last sealed."""
    sale = post(postings.sold(payment_id=PAYMENT, parties=PARTIES, amount=eur(10_000)), on=0)
    other = post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(2_500)), on=1)
    hold = post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(700)), on=2)
    ledger.seal_all(now=day(3))
    reversal = ledger.reverse(other.pk, cause="test:reversed", occurred_at=day(30), now=day(30))
    return [sale, other, hold, reversal]


def answer(api: Api, path: str, **query: Any) -> Any:
    response = api.get(f"ledger/{path}", **query)
    assert response.status_code == 200, response.content
    return response.json()


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"].startswith("application/problem+json")
    problem = json.loads(response.content)
    assert problem["code"] == code, problem
    return problem


def queries_of(do: Callable[[], object]) -> int:
    counting: AbstractContextManager[CaptureQueriesContext] = CaptureQueriesContext(connection)
    with counting as captured:
        do()
    return len(captured)
