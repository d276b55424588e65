"""Each way in which the four views can disagree is found, and views that agree give no finding."""

import json
from dataclasses import replace
from typing import Any

import pytest

from paymentops.chaos import comparing, planning
from paymentops.chaos.comparing import Kind, Views
from paymentops.chaos.journal import Answer, Ask, Asked
from paymentops.chaos.system import SERVICES
from paymentops.chaos.views import Amounts, Booked, Row

ORDER = planning.make(seed=1, payments=1, clients=1).orders[0]
BODY = json.dumps({"id": "pay_1", "amount": 100, "currency": "EUR"}).encode()
REFUND = (SERVICES[0], "refunds", "refund-key")
NOTHING = {"authorized": 0, "captured": 0, "voided": 0, "refunded": 0}
SUMS = {"authorized": 100, "captured": 100, "voided": 0, "refunded": 30}
ROW = Row(
    id="pay_1", service=SERVICES[0], key="create-key", requested=100, currency="EUR", state="CAPTURED",
    amounts=Amounts(**SUMS),
)  # fmt: skip


def asked(what: str, key: str, *answers: Answer) -> Asked:
    return Asked(Ask(order=ORDER, what=what, path="", body={}, key=key), sent=1, answers=list(answers))


CREATE = asked("create", "create-key", Answer(503, b""), Answer(201, BODY), Answer(201, BODY))


def charge(**changes: Any) -> dict[str, Any]:
    return {"reference": "pay_1", "effects": {"po-1": 1}, **SUMS, **changes}


VIEWS = Views(
    asked=[CREATE, asked("refunds", "refund-key", Answer(201, b"{}"))],
    seen={"pay_1": {"state": "CAPTURED", "amounts": SUMS}},
    payments=[ROW],
    requests={REFUND: 1},
    books={"pay_1": Booked(posted=70)},
    truth=[charge()],
    violations={},
)


def kinds(**changes: Any) -> list[Kind]:
    return [finding.kind for finding in comparing.compare(replace(VIEWS, **changes))]


def test_views_that_agree_give_no_finding():
    assert comparing.compare(VIEWS) == []


def test_a_payment_that_was_accepted_and_is_gone_is_lost():
    assert kinds(payments=[], books={}, truth=[]) == [Kind.LOST]


def test_a_request_that_was_accepted_and_is_gone_is_lost():
    assert kinds(requests={}) == [Kind.LOST]


def test_a_charge_that_we_know_nothing_of_is_lost():
    assert kinds(truth=[charge(), charge(reference="pay_2")]) == [Kind.LOST]


def test_a_charge_that_we_believe_failed_is_lost():
    row = replace(ROW, state="FAILED", amounts=Amounts())
    seen = {"pay_1": {"state": "FAILED", "amounts": NOTHING}}
    assert kinds(payments=[row], seen=seen, books={}) == [Kind.LOST]


def test_two_payments_for_one_key_are_duplicates():
    twin = replace(ROW, id="pay_2")
    found = kinds(
        payments=[ROW, twin], truth=[charge(), charge(reference="pay_2")], books=VIEWS.books | {"pay_2": Booked(70)}
    )
    assert found == [Kind.DUPLICATE, Kind.DUPLICATE]  # nobody was told of it, and the key has two


def test_a_row_for_a_request_that_nobody_was_told_of_is_a_duplicate():
    assert kinds(requests={REFUND: 1, (SERVICES[0], "refunds", "other"): 1}) == [Kind.DUPLICATE]


@pytest.mark.parametrize("truth", [[charge(effects={"po-1": 2})], [charge(), charge()]])
def test_a_payer_charged_twice_is_a_duplicate(truth: list[dict[str, Any]]):
    assert kinds(truth=truth) == [Kind.DUPLICATE]


def test_different_answers_under_one_key_do_not_match():
    other = asked("create", "create-key", Answer(201, BODY), Answer(201, BODY + b" "))
    assert kinds(asked=[other, *VIEWS.asked[1:]]) == [Kind.MISMATCHED]


@pytest.mark.parametrize("answer", [Answer(201, b"{}"), Answer(400, b'{"code": "request.invalid"}')])
def test_a_key_taken_for_another_body_does_not_match(answer: Answer):
    reused = asked("create with another body", "create-key", answer)
    assert kinds(asked=[*VIEWS.asked, reused]) == [Kind.MISMATCHED]


def test_what_a_client_sees_must_be_what_the_database_has():
    assert kinds(seen={"pay_1": {"state": "AUTHORIZED", "amounts": SUMS}}) == [Kind.MISMATCHED]


@pytest.mark.parametrize("changes", [{"captured": 99}, {"refunded": 0}, {"voided": 1}])
def test_what_the_provider_did_must_be_what_the_database_has(changes: dict[str, int]):
    assert kinds(truth=[charge(**changes)]) == [Kind.MISMATCHED]


@pytest.mark.parametrize("books", [{}, {"pay_1": Booked(posted=71)}, {"pay_1": Booked(posted=70, pending=1)}])
def test_the_books_must_say_the_same(books: dict[str, Booked]):
    assert kinds(books=books) == [Kind.MISMATCHED]


def test_what_verification_finds_and_what_never_ends_are_findings():
    assert kinds(violations={"ledger.balanced": ["one"]}, unfinished=["an attempt"], troubles=["a client"]) == [
        Kind.STUCK,
        Kind.STUCK,
        Kind.MISMATCHED,
    ]
