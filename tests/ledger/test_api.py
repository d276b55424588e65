"""What services read of the books: accounts, balances at a date, statements, entries, the trial balance, months."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from ledger import operations as ledger
from ledger import postings
from ledger.chain import bind
from ledger.models import FoldedBalance
from paymentops.core.money import Money
from tests.ledger.books import PARTIES, PAYABLE, RECEIVABLE, START, day, eur, post
from tests.ledger.months import FEBRUARY, JANUARY, after, close
from tests.ledger.services import PAYMENT, Api, answer, books, queries_of, reader, refused
from tests.payments.conftest import make_api

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(db: None) -> Api:
    return reader()


def codes(page: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["code"], row["currency"]) for row in page["results"]]


# --- accounts ------------------------------------------------------------------------------------------------------


def test_accounts_are_listed_by_code_with_what_stands_on_them(api: Api) -> None:
    books()
    page = answer(api, "accounts")
    assert codes(page) == [(RECEIVABLE, "EUR"), (PAYABLE, "EUR")]
    assert (page["next"], page["previous"]) == (None, None)
    receivable, payable = page["results"]
    assert receivable["posted"] == 10_000
    assert (receivable["pending"], receivable["available"]) == (700, 10_000)
    assert (payable["posted"], payable["pending"], payable["available"]) == (-10_000, -700, -10_000)
    assert (receivable["kind"], receivable["normal_side"]) == ("ASSET", "DEBIT")
    assert receivable["check"] == {"state": "UNCHECKED", "checked_at": None, "drifted_at": None}


def test_accounts_are_narrowed_down(api: Api) -> None:
    books()
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=Money(5, "JPY")))
    assert codes(answer(api, "accounts", prefix="11")) == [(RECEIVABLE, "EUR"), (RECEIVABLE, "JPY")]
    assert codes(answer(api, "accounts", prefix="1110:san", currency="JPY")) == [(RECEIVABLE, "JPY")]
    assert codes(answer(api, "accounts", kind="LIABILITY", currency="EUR")) == [(PAYABLE, "EUR")]
    assert codes(answer(api, "accounts", prefix="%")) == []
    assert codes(answer(api, "accounts", closed="true")) == []
    assert len(codes(answer(api, "accounts", closed="false"))) == 4


def test_accounts_are_read_page_by_page_in_both_directions(api: Api) -> None:
    for currency in ("EUR", "JPY", "USD", "CHF"):
        post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=Money(5, currency)))
    whole = codes(answer(api, "accounts"))
    first = answer(api, "accounts", limit=3)
    found, page = codes(first), first
    while page["next"]:
        page = api.http.get(page["next"], headers={"Authorization": f"Api-Key {api.secret}"}).json()
        found += codes(page)
    assert found == whole
    assert len(found) == 8
    back = api.http.get(page["previous"], headers={"Authorization": f"Api-Key {api.secret}"}).json()
    assert codes(back) == whole[3:6]


def test_a_page_of_accounts_takes_as_many_queries_as_one_account(api: Api) -> None:
    books()
    few = queries_of(lambda: answer(api, "accounts"))
    for number in range(30):
        party = postings.Parties(client=f"cli_{number}", provider_account="sandbox", method="card")
        post(postings.sold(payment_id=uuid4(), parties=party, amount=eur(5)))
    assert queries_of(lambda: answer(api, "accounts", limit=200)) <= few <= 5


def test_an_account_shows_its_check_and_what_is_not_sealed(api: Api) -> None:
    books()
    found = answer(api, f"accounts/{RECEIVABLE}/EUR")
    assert (found["posted"], found["unsealed_lines"]) == (10_000, 1)
    ledger.seal_all(now=day(31))
    ledger.check_balance(code=RECEIVABLE, currency="EUR", now=day(32))
    found = answer(api, f"accounts/{RECEIVABLE}/EUR")
    assert found["unsealed_lines"] == 0
    assert found["check"] == {"state": "PASSED", "checked_at": "2026-02-06T09:00:00.000000Z", "drifted_at": None}


def test_a_drifted_account_says_so_and_is_computed_from_its_lines(api: Api) -> None:
    books()
    FoldedBalance.objects.filter(account__code=RECEIVABLE).update(posted=1, drifted_at=START)
    found = answer(api, f"accounts/{RECEIVABLE}/EUR")
    assert (found["posted"], found["check"]["state"]) == (10_000, "DRIFTED")
    assert answer(api, f"accounts/{RECEIVABLE}/EUR/balance")["posted"] == 10_000


@pytest.mark.parametrize("path", ["", "/balance", "/statement"])
@pytest.mark.parametrize(
    "account", ["1110:nobody/EUR", "9999/EUR", "1110:sandbox/USD", "%00/EUR", "1/EU%00", "%FF/EUR"]
)
def test_an_account_that_is_not_there_is_not_found(api: Api, account, path) -> None:
    books()
    refused(api.get(f"ledger/accounts/{account}{path}"), 404, "ledger.account_not_found")


# --- balances at a date --------------------------------------------------------------------------------------------


def test_a_balance_has_two_dates(api: Api) -> None:
    books()
    path = f"accounts/{RECEIVABLE}/EUR/balance"
    assert answer(api, path)["posted"] == 10_000
    january = answer(api, path, effective_at="2026-01-31")
    assert (january["posted"], january["effective_at"]) == (12_500, "2026-01-31T23:59:59.999999Z")
    assert answer(api, path, effective_at="2026-01-05T09:00:00Z")["posted"] == 10_000
    assert answer(api, path, effective_at="2026-01-05T08:59:59.999999Z")["posted"] == 0
    assert answer(api, path, known_at="2026-01-06")["posted"] == 12_500
    assert answer(api, path, effective_at="2026-12-31", known_at="2026-01-05")["posted"] == 10_000


def test_what_is_authorised_in_january_and_captured_in_february_leaves_january_as_it_was(api: Api) -> None:
    hold = post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(700)))
    path, january = f"accounts/{RECEIVABLE}/EUR/balance", {"effective_at": "2026-01-31"}
    before = answer(api, path, **january)
    ledger.settle(hold.pk, cause="test:captured", occurred_at=day(40), now=day(40))
    assert answer(api, path, **january) == before
    assert (before["posted"], before["pending"]) == (0, 700)
    assert answer(api, path)["posted"] == 700


@pytest.mark.parametrize(
    ("written", "posted"),
    [
        ("2026-01-05T10:00:00+01:00", 10_000),
        ("2026-01-05t09:00:00z", 10_000),
        ("2026-01-05T09:00:00.000000-00:00", 10_000),
        ("2026-01-05T09:59:59+01:00", 0),
        ("2026-01-04", 0),
        ("2026-01-05", 10_000),
    ],
)
def test_moments_are_read_with_their_offset(api: Api, written, posted) -> None:
    books()
    assert answer(api, f"accounts/{RECEIVABLE}/EUR/balance", effective_at=written)["posted"] == posted


@pytest.mark.parametrize(
    "written",
    [
        "",
        "now",
        "2026-01",
        "2026-1-5",
        "20260105",
        "2026-W02-1",
        "2026-02-30",
        "2026-01-05T09:00:00",
        "2026-01-05T09:00Z",
        "2026-01-05 09:00:00Z",
        "2026-01-05T09:00:00 01:00",
        "2026-01-05T09:00:00+0100",
        "2026-01-05T24:00:01Z",
        "2026-01-05T09:00:60Z",
        "2026-01-05T09:00:00.1234567Z",
        "2026-01-05T09:00:00+25:00",
        "0000-01-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1767603600",
        "2026-01-05T09:00:00Z\n",
        "٢٠٢٦-01-05",
    ],
)
def test_a_moment_that_could_be_meant_otherwise_is_refused(api: Api, written) -> None:
    books()
    problem = refused(
        api.get(f"ledger/accounts/{RECEIVABLE}/EUR/balance", effective_at=written), 400, "request.invalid"
    )
    assert [error["field"] for error in problem["errors"]] == ["effective_at"]


@pytest.mark.parametrize(("path", "question"), [("trial-balance", "efective_at=2026-01-31"), ("periods", "year=2026")])
def test_a_misspelt_question_is_refused_because_its_answer_would_be_to_another(api: Api, path, question) -> None:
    refused(api.get(f"ledger/{path}?{question}"), 400, "request.invalid")


def test_a_question_asked_twice_is_refused(api: Api) -> None:
    path = "ledger/trial-balance?effective_at=2026-01-31&effective_at=2026-02-28"
    assert refused(api.get(path), 400, "request.invalid")["errors"][0]["field"] == "effective_at"


# --- statements ----------------------------------------------------------------------------------------------------


def sales(count: int) -> None:
    for number in range(count):
        post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100 + number)), on=number)


def test_a_statement_tells_each_line_with_the_balance_after_it(api: Api) -> None:
    entries = books()
    page = answer(api, f"accounts/{RECEIVABLE}/EUR/statement")
    assert (page["opening"], page["closing"], page["next"]) == (0, 10_000, None)
    told = [(line["entry"], line["amount"], line["balance"], line["sealed"]) for line in page["results"]]
    assert told == [
        (str(entries[0]), 10_000, 10_000, True),
        (str(entries[1]), 2_500, 12_500, True),
        (str(entries[3]), -2_500, 10_000, False),
    ]
    assert page["results"][0]["source"] == {"type": "payment", "id": f"pay_{PAYMENT.hex}", "kind": "sale"}
    assert [line["state"] for line in page["results"]] == ["POSTED", "REVERSED", "POSTED"]


def test_a_statement_of_a_period_opens_and_closes_at_its_ends(api: Api) -> None:
    books()
    page = answer(api, f"accounts/{RECEIVABLE}/EUR/statement", since="2026-01-06", until="2026-01-31")
    assert (page["opening"], page["closing"], [line["amount"] for line in page["results"]]) == (10_000, 12_500, [2_500])
    page = answer(api, f"accounts/{RECEIVABLE}/EUR/statement", since="2026-01-06T09:00:00.000001Z", until="2026-01-31")
    assert (page["opening"], page["closing"], page["results"]) == (12_500, 12_500, [])


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_a_statement_is_read_page_by_page(api: Api, order) -> None:
    sales(5)
    ledger.seal(limit=3, now=day(9))
    path = f"accounts/{RECEIVABLE}/EUR/statement"
    whole = answer(api, path, order=order)
    page = answer(api, path, order=order, limit=2)
    found = page["results"]
    while page["next"]:
        page = api.http.get(page["next"], headers={"Authorization": f"Api-Key {api.secret}"}).json()
        assert (page["opening"], page["closing"]) == (whole["opening"], whole["closing"])
        found += page["results"]
    assert found == whole["results"]
    assert len(found) == 5
    assert (found[0]["effective_at"] < found[-1]["effective_at"]) == (order == "oldest_first")


def test_a_page_of_a_statement_takes_the_same_queries_however_long(api: Api) -> None:
    sales(2)
    path = f"accounts/{RECEIVABLE}/EUR/statement"
    few = queries_of(lambda: answer(api, path))
    sales(20)
    assert queries_of(lambda: answer(api, path, limit=200)) <= few <= 4


@pytest.mark.parametrize("cursor", ["x", "1-2", "1-2-x", "9" * 80, "1-99999999999999999999-1", "1--1-2", "1-1-99999"])
def test_a_cursor_that_no_statement_made_is_refused(api: Api, cursor) -> None:
    books()
    refused(api.get(f"ledger/accounts/{RECEIVABLE}/EUR/statement", cursor=cursor), 400, "ledger.position_unreadable")


# --- entries -------------------------------------------------------------------------------------------------------


def test_an_entry_shows_its_lines_its_moves_and_their_places_in_the_chain(api: Api) -> None:
    sale, other, hold, reversal = books()
    found = answer(api, f"entries/{sale}")
    assert (found["id"], found["state"], found["reverses"], found["reversed_by"]) == (str(sale), "POSTED", None, None)
    assert found["source"] == {"type": "payment", "id": f"pay_{PAYMENT.hex}", "kind": "sale", "sequence": 0}
    assert [(line["account"], line["amount"], line["method"]) for line in found["lines"]] == [
        (RECEIVABLE, 10_000, "card"),
        (PAYABLE, -10_000, None),
    ]
    [move] = found["transitions"]
    assert (move["from_state"], move["to_state"], move["actor"]) == (None, "POSTED", "system")
    seal = move["seal"]
    assert seal["position"] == 1
    assert bind(bytes(32), seq=1, digest=bytes.fromhex(seal["digest"])).hex() == seal["hash"]
    assert answer(api, f"entries/{other}")["reversed_by"] == str(reversal)
    told = answer(api, f"entries/{reversal}")
    assert (told["reverses"], told["transitions"][0]["seal"]) == (str(other), None)
    assert answer(api, f"entries/{hold}")["state"] == "PENDING"


def found_ids(api: Api, **query: Any) -> set[str]:
    return {row["id"] for row in answer(api, "entries", **query)["results"]}


def test_entries_are_narrowed_down(api: Api) -> None:
    sale, other, hold, reversal = map(str, books())
    assert [row["id"] for row in answer(api, "entries")["results"]] == [reversal, hold, other, sale]
    assert found_ids(api, source_id=f"pay_{PAYMENT.hex}") == found_ids(api, source_id=str(PAYMENT)) == {sale}
    assert found_ids(api, source_type="refund") == set()
    assert found_ids(api, state="PENDING") == {hold}
    assert found_ids(api, account=PAYABLE, currency="EUR") == {sale, other, hold, reversal}
    assert found_ids(api, account=PAYABLE, currency="USD") == set()
    assert found_ids(api, effective_from="2026-01-06", effective_until="2026-01-06") == {other}
    assert found_ids(api, effective_from="2026-02-01") == {other, reversal}
    assert found_ids(api, effective_until="2026-01-05") == {sale}


def test_entries_are_read_page_by_page(api: Api) -> None:
    sales(5)
    whole = [row["id"] for row in answer(api, "entries")["results"]]
    page = answer(api, "entries", limit=2, state="POSTED")
    found = page["results"]
    while page["next"]:
        page = api.http.get(page["next"], headers={"Authorization": f"Api-Key {api.secret}"}).json()
        found += page["results"]
    assert [row["id"] for row in found] == whole


def test_a_page_of_entries_takes_as_many_queries_as_one_entry(api: Api) -> None:
    sales(1)
    few = queries_of(lambda: answer(api, "entries"))
    sales(30)
    assert queries_of(lambda: answer(api, "entries", limit=200)) <= few <= 6


@pytest.mark.parametrize("entry_id", ["1", "ent_", "ent_" + "g" * 32, "pay_" + "0" * 32, "%00"])
def test_an_id_of_no_entry_is_not_found(api: Api, entry_id) -> None:
    refused(api.get(f"ledger/entries/{entry_id}"), 404, "id.unreadable")


def test_an_entry_that_is_not_there_is_not_found(api: Api) -> None:
    refused(api.get(f"ledger/entries/ent_{'0' * 32}"), 404, "ledger.entry_not_found")


# --- trial balance and months --------------------------------------------------------------------------------------


def test_the_trial_balance_is_zero_and_is_compared_with_an_earlier_one(api: Api) -> None:
    books()
    post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=Money(5, "JPY")))
    found = answer(api, "trial-balance", effective_at="2026-02-28", compare_to="2026-01-31", currency="EUR")
    [euro] = found["currencies"]
    assert (euro["debits"], euro["credits"], euro["difference"]) == (10_000, 10_000, 0)
    assert [(row["code"], row["posted"]) for row in euro["accounts"]] == [(RECEIVABLE, 10_000), (PAYABLE, -10_000)]
    assert [(row["code"], row["before"], row["after"], row["difference"]) for row in found["changes"]] == [
        (RECEIVABLE, 12_500, 10_000, -2_500),
        (PAYABLE, -12_500, -10_000, 2_500),
    ]
    everything = answer(api, "trial-balance")
    assert [one["currency"] for one in everything["currencies"]] == ["EUR", "JPY"]
    assert (everything["changes"], everything["effective_at"]) == (None, None)


def test_months_show_what_their_closing_stored(api: Api) -> None:
    books()
    close(JANUARY)
    [january] = answer(api, "periods")["results"]
    assert january == answer(api, "periods/2026-01")
    assert (january["month"], january["state"], january["closings"]) == ("2026-01", "CLOSED", 1)
    assert [(total["currency"], total["debits"]) for total in january["totals"]] == [("EUR", 12_500)]
    assert january["closed_at"] == (after(JANUARY) + timedelta()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert len(january["hash"]) == 64
    assert [move["to_state"] for move in january["moves"]] == ["CLOSING", "CLOSED"]
    open_month = answer(api, f"periods/{FEBRUARY}")
    assert (open_month["state"], open_month["hash"], open_month["moves"]) == ("OPEN", None, [])
    for written in ("2026", "2026-13", "1969-12", "%00", "now"):
        refused(api.get(f"ledger/periods/{written}"), 400, "ledger.month_unreadable")


# --- who may read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "accounts",
        f"accounts/{RECEIVABLE}/EUR",
        f"accounts/{RECEIVABLE}/EUR/balance",
        f"accounts/{RECEIVABLE}/EUR/statement",
        "entries",
        f"entries/ent_{'0' * 32}",
        "trial-balance",
        "periods",
        "periods/2026-01",
    ],
)
def test_the_books_are_read_with_their_own_scope_only(path) -> None:
    shop = make_api("shop", ["payments:read", "payments:write", "refunds:write", "ledger:write"])
    assert refused(shop.get(f"ledger/{path}"), 403, "access.scope_missing")["scope"] == "ledger:read"
    shop.secret = "wrong"
    refused(shop.get(f"ledger/{path}"), 401, "access.key_refused")
