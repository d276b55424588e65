"""Journals that services propose: exactly once per key, and nothing is posted before a person agrees."""

from typing import Any

import pytest
from django.test import Client

from ledger import operations as ledger
from ledger import verification
from ledger.models import Account, Entry
from paymentops.access.models import AuditEntry
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal
from paymentops.core import clock, ids
from paymentops.idempotency.models import IdempotencyKey, KeyUse
from tests.ledger.books import as_if_committed, posted, without_triggers
from tests.ledger.people import evidence, person
from tests.ledger.services import Api, answer, books, queries_of, reader, refused, writer
from tests.ledger.test_faults import at_once
from tests.ledger.test_journals import proposed
from tests.payments.conftest import make_api, violations

pytestmark = pytest.mark.django_db

KEY = "charges-2026-01-main"
PATH = "ledger/journals"


@pytest.fixture
def api(db: None) -> Api:
    return writer()


def charge(**changes: Any) -> dict[str, Any]:
    body = {
        "template": "bank_charge",
        "description": "Charges of January",
        "reason": "The bank's statement of 31 January lists them.",
        "occurred_at": "2026-01-31T12:00:00Z",
        "amount": 1250,
        "currency": "EUR",
        "parts": {"bank account": "main"},
    }
    return {name: value for name, value in (body | changes).items() if value is not ...}


LINES = [
    {"account": "5010", "currency": "EUR", "amount": 1250},
    {"account": "1010:main", "currency": "EUR", "amount": -1250},
]


def in_lines(lines: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return charge(amount=..., currency=..., parts=..., lines=lines, **changes)


def propose(api: Api, body: dict[str, Any] | None = None, *, key: str = KEY) -> dict[str, Any]:
    response = api.post(PATH, body or charge(), key=key)
    assert response.status_code == 201, response.content
    return response.json()


def approve(journal: dict[str, Any]) -> Entry:
    proposal = Proposal.objects.get(pk=ids.parse(ids.Prefix.PROPOSAL, journal["id"]))
    decision = ledger.approve_journal(
        proposal_id=proposal.pk, version=proposal.version, by=person("checker"), now=clock.now()
    )
    return decision.carried_out()


def nothing_stays() -> bool:
    return not (IdempotencyKey.objects.exists() or Proposal.objects.exists() or Entry.objects.exists())


def test_a_service_proposes_and_a_person_posts(api: Api) -> None:
    response = api.post(PATH, charge(), key=KEY)
    assert response.status_code == 201, response.content
    journal = response.json()
    assert response.headers["Location"] == f"/api/v1/ledger/journals/{journal['id']}"
    assert (journal["state"], journal["version"], journal["entry"], journal["decided_at"]) == (
        "PROPOSED",
        1,
        None,
        None,
    )
    assert journal["proposed_by"] == ids.public(ids.Prefix.CLIENT, api.client_id)
    assert [(line["account"], line["amount"]) for line in journal["lines"]] == [("5010", 1250), ("1010:main", -1250)]
    assert posted() == {}
    assert answer(api, f"journals/{journal['id']}") == journal
    entry = approve(journal)
    assert posted() == {"5010": 1250, "1010:main": -1250}
    present = answer(api, f"journals/{journal['id']}")
    assert (present["state"], present["entry"], present["outcome"]) == ("CARRIED_OUT", str(entry), str(entry))
    told = answer(api, f"entries/{entry}")
    assert (told["source"]["type"], told["source"]["id"]) == ("journal", journal["id"])
    assert (told["transitions"][0]["actor"], told["description"]) == ("operator", "Charges of January")
    assert violations() == {}


def test_the_proposal_names_the_service_and_no_person(api: Api) -> None:
    journal = propose(api)
    proposal = Proposal.objects.get()
    assert (proposal.public_id, proposal.proposer_kind, proposal.proposed_by) == (journal["id"], "CLIENT", None)
    assert proposal.proposer == ids.public(ids.Prefix.CLIENT, api.client_id)
    assert AuditEntry.objects.get(action="proposal.proposed").request_id


def test_the_second_person_is_a_person(api: Api) -> None:
    proposal = Proposal.objects.get(pk=ids.parse(ids.Prefix.PROPOSAL, propose(api)["id"]))
    with pytest.raises(casework.NotAllowed):
        ledger.approve_journal(proposal_id=proposal.pk, version=1, by=person("viewer", role="Viewer"), now=clock.now())
    assert answer(api, f"journals/{proposal}")["state"] == "PROPOSED"


def test_the_same_request_again_is_answered_byte_for_byte_also_after_the_decision(api: Api) -> None:
    first = api.post(PATH, charge(), key=KEY)
    approve(first.json())
    again = api.post(PATH, charge(), key=f'"{KEY}"')
    assert (again.status_code, again.content) == (201, first.content)
    assert (again.headers["Idempotent-Replayed"], again.headers["Location"]) == ("true", first.headers["Location"])
    assert "Idempotent-Replayed" not in first.headers
    assert Proposal.objects.count() == Entry.objects.count() == 1
    assert KeyUse.objects.get().outcome == "REPLAYED"


@pytest.mark.parametrize(
    "body",
    [
        in_lines(LINES),
        in_lines([{**line, "method": ""} for line in LINES]),
        charge(amount=1250.0),
        charge(occurred_at="2026-01-31T13:00:00.000+01:00"),
        dict(reversed(charge().items())),
    ],
    ids=["its lines", "an empty method", "a fraction of nothing", "another offset", "another order"],
)
def test_what_means_the_same_is_the_same(api: Api, body) -> None:
    first = propose(api)
    again = api.post(PATH, body, key=KEY)
    assert (again.status_code, again.json()) == (201, first)
    assert Proposal.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"amount": 1251}, ["lines"]),
        ({"reason": "Another reason."}, ["reason"]),
        ({"description": "Charges", "occurred_at": "2026-01-30T12:00:00Z"}, ["description", "occurred_at"]),
    ],
)
def test_another_journal_under_a_used_key_is_refused_and_named(api: Api, changes, fields) -> None:
    first = propose(api)
    problem = refused(api.post(PATH, charge(**changes), key=KEY), 422, "idempotency.key_reused")
    assert (problem["fields"], problem["resource"]) == (fields, first["id"])
    assert Proposal.objects.count() == 1
    assert KeyUse.objects.get().outcome == "REFUSED"


def test_keys_belong_to_one_client(api: Api) -> None:
    other = writer("another treasury")
    assert propose(api)["id"] != propose(other)["id"]


@pytest.mark.parametrize(("key", "code"), [(None, "idempotency.key_missing"), ("short", "idempotency.key_malformed")])
def test_a_journal_needs_a_key(api: Api, key, code) -> None:
    refused(api.post(PATH, charge(), key=key), 400, code)
    assert nothing_stays()


BAD: list[tuple[dict[str, Any], str]] = [
    *[(charge(template=value), "template") for value in (..., None, "", "free", "write_off", "nothing", 1, [])],
    *[(charge(description=value), "description") for value in (..., "", " ", "d" * 201, 1, "a\nb")],
    *[(charge(reason=value), "reason") for value in (..., "", None, "r" * 2001, {})],
    *[
        (charge(occurred_at=value), "occurred_at")
        for value in (..., None, "2026-01-31", "now", 1, "2026-02-30T00:00:00Z")
    ],
    *[(charge(amount=value), "amount") for value in (0, -1, "1250", 12.5, True, None, 2**53)],
    *[(charge(currency=value), "currency") for value in (None, "eur", "XXX", 978)],
    *[(charge(parts=value), "parts") for value in (None, [], {"bank": "main"}, {"bank account": 1})],
    *[(charge(corrects=value), "corrects") for value in ("ent_1", 1, "pay_" + "0" * 32)],
    (charge(amount=...), "lines"),
    (charge(currency=...), "lines"),
    (charge(lines=LINES), "lines"),
    *[(in_lines(value), "lines") for value in ([], LINES[:1], LINES * 251, "text", {}, [1, 2])],
    *[(in_lines([{**LINES[0], "amount": value}, LINES[1]]), "lines.0.amount") for value in (0, "1", None, -(2**53))],
    (in_lines([LINES[0], {**LINES[1], "acount": "x"}]), "lines.1.acount"),
    (charge(template="correction"), "parts"),
    (charge(ammount=1), "ammount"),
]


@pytest.mark.parametrize(("body", "field"), BAD, ids=[f"{number}" for number in range(len(BAD))])
def test_a_bad_value_is_named_and_leaves_nothing(api: Api, body, field) -> None:
    problem = refused(api.post(PATH, body, key=KEY), 400, "request.invalid")
    assert problem["errors"][0]["field"].startswith(field.split(".")[0])
    assert nothing_stays()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (charge(parts={}), 400, "ledger.journal_not_usable"),
        (charge(parts={"bank account": "a b"}), 400, "ledger.journal_not_usable"),
        (charge(occurred_at="2999-01-01T00:00:00Z"), 400, "ledger.journal_not_usable"),
        (charge(corrects=f"ent_{'0' * 32}"), 400, "ledger.journal_not_usable"),
        (in_lines([LINES[0], {**LINES[1], "amount": -1}]), 422, "ledger.unbalanced"),
        (in_lines([LINES[0], {**LINES[1], "currency": "USD"}]), 422, "ledger.unbalanced"),
        (in_lines([LINES[0], {**LINES[1], "account": "9999"}]), 400, "ledger.unknown_account"),
        (in_lines([LINES[0], {**LINES[1], "account": "1010"}]), 400, "ledger.unknown_account"),
        (in_lines([{**LINES[0], "account": "5020"}, LINES[1]]), 400, "ledger.journal_not_usable"),
        (in_lines([LINES[0], {**LINES[1], "method": "card"}]), 400, "ledger.journal_not_usable"),
        (in_lines(LINES, template="correction"), 400, "ledger.journal_not_usable"),
        (in_lines(LINES, template="correction", corrects=f"ent_{'0' * 32}"), 404, "ledger.entry_not_found"),
        (charge(template="correction", parts=...), 400, "ledger.journal_not_usable"),
    ],
)
def test_what_the_books_refuse_leaves_the_key_free(api: Api, body, status, code) -> None:
    refused(api.post(PATH, body, key=KEY), status, code)
    assert nothing_stays()
    propose(api)


def test_a_closed_account_takes_no_proposal(api: Api) -> None:
    approve(propose(api))
    Account.objects.filter(code="1010:main").update(closed_at=clock.now())
    refused(api.post(PATH, charge(), key="charges-2026-02-main"), 409, "ledger.account_closed")


def test_an_entry_is_corrected_by_a_service(api: Api) -> None:
    sale = books()[0]
    lines = [{**LINES[0], "account": "5020"}, {**LINES[1], "account": "5010"}]
    journal = propose(api, in_lines(lines, template="correction", corrects=str(sale)))
    assert journal["corrects"] == str(sale)
    approve(journal)
    assert posted()["5020"] == 1250


def test_journals_of_people_and_services_are_listed_together_without_names(api: Api) -> None:
    maker = person("maker", "Finance")
    by_hand = proposed(maker, attachment_ids=evidence(maker))
    first = propose(api)
    page = answer(api, "journals")
    assert [row["id"] for row in page["results"]] == [first["id"], str(by_hand)]
    assert page["results"][1]["proposed_by"] == "operator"
    [file] = page["results"][1]["attachments"]
    assert (sorted(file), len(file["sha256"])) == (["id", "sha256"], 64)
    assert "maker" not in str(page)
    approve(first)
    assert [row["id"] for row in answer(api, "journals", state="CARRIED_OUT")["results"]] == [first["id"]]
    assert [row["id"] for row in answer(api, "journals", state="PROPOSED")["results"]] == [str(by_hand)]


def test_a_page_of_journals_takes_as_many_queries_as_one_journal(api: Api) -> None:
    propose(api)
    few = queries_of(lambda: answer(api, "journals"))
    for number in range(20):
        propose(api, key=f"charges-2026-01-{number:04}")
    assert queries_of(lambda: answer(api, "journals", limit=200)) <= few <= 5


def test_only_journals_are_found_here(api: Api) -> None:
    reversal = ledger.propose_reversal(
        approve(propose(api)).pk,
        occurred_at=clock.now(),
        reason="Twice.",
        by=person("maker", "Finance"),
        now=clock.now(),
    )
    refused(api.get(f"{PATH}/{reversal}"), 404, "ledger.journal_not_found")
    assert len(answer(api, "journals")["results"]) == 1
    for journal_id in ("1", "prp_", "ent_" + "0" * 32):
        refused(api.get(f"{PATH}/{journal_id}"), 404, "id.unreadable")


def test_proposing_needs_its_own_scope(api: Api) -> None:
    assert refused(reader().post(PATH, charge(), key=KEY), 403, "access.scope_missing")["scope"] == "ledger:write"
    refused(make_api("shop").get(PATH), 403, "access.scope_missing")
    assert nothing_stays()


def test_a_key_tells_what_it_was_used_for() -> None:
    api = make_api("treasury", ["ledger:read", "ledger:write", "payments:read"])
    journal = propose(api)
    [use] = api.get(f"idempotency-keys/{KEY}").json()["uses"]
    assert (use["operation"], use["resource_id"]) == ("journals.propose", journal["id"])


@pytest.mark.django_db(transaction=True)
def test_twins_make_one_proposal() -> None:
    api = writer()

    def ask() -> tuple[int, bytes]:
        twin = Api(secret=api.secret, client_id=api.client_id, http=Client(raise_request_exception=False))
        response = twin.post(PATH, charge(), key=KEY)
        return response.status_code, response.content

    outcomes = set(at_once(*[ask] * 6))
    assert {status for status, _ in outcomes} <= {201, 409}
    assert len([outcome for outcome in outcomes if outcome[0] == 201]) == 1
    assert Proposal.objects.count() == IdempotencyKey.objects.count() == 1


def test_verification_names_a_journal_without_its_key_and_a_key_without_its_journal(api: Api) -> None:
    first, second = propose(api), propose(api, key="charges-2026-02-main")
    as_if_committed()
    of = ids.parse(ids.Prefix.PROPOSAL, first["id"])
    without_triggers("DELETE FROM idempotency_idempotencykey WHERE resource_id = %s", of)
    without_triggers("DELETE FROM casework_proposaltransition WHERE proposal_id <> %s", of)
    without_triggers("DELETE FROM casework_proposal WHERE id <> %s", of)
    found = next(check for check in verification.checks() if check.name == "ledger.journal_keys")
    proposer = ids.public(ids.Prefix.CLIENT, api.client_id)
    assert sorted(found.violations) == [
        f"{first['id']}: was proposed by {proposer} without a key",
        "the key charges-2026-02-main: its journal does not exist",
    ]
    assert second["id"] != first["id"]
