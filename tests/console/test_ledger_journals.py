"""Journals, reversals and months in the console: forms that count once, two people, and pages that say why not."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ledger import operations as ledger
from ledger import postings
from ledger.models import Entry, Period
from ledger.periods import Month
from ledger.postings import Source
from paymentops.access.models import AuditEntry
from paymentops.casework.models import Proposal
from paymentops.core import clock
from paymentops.core.money import Money
from tests.console.conftest import ROLES, person

pytestmark = pytest.mark.django_db(transaction=True)

JOURNALS = "/console/ledger/journals/"
NEW = f"{JOURNALS}new"


def fields(answer) -> dict[str, str]:
    """Return what the form of a page carries unseen."""
    return {name: str(answer.context.get(name, "")) for name in ("form_token", "seen")}


def charge(**changed: object) -> dict[str, object]:
    today = clock.now().date().isoformat()
    typed = {"description": "Charges of the bank", "amount": "12.50", "currency": "EUR", "part_0": "main"}
    return {**typed, "day": today, "reason": "The bank says so.", **changed}


def proposed(maker: Client) -> str:
    """Preview a bank charge and propose it; return the address of its page."""
    page = f"{NEW}?template=bank_charge"
    preview = maker.post(page, charge(step="preview", **fields(maker.get(page))))
    assert preview.status_code == 200
    answer = maker.post(page, charge(step="propose", **fields(preview)))
    assert answer.status_code == 302, answer.context["form"].errors
    return str(answer.url)


def decide(client: Client, page: str, deed: str, **changed: object):
    context = client.get(page).context
    typed = {"form_token": context["form_token"], "version": context["proposal"].version, "reason": "Looked at it."}
    return client.post(f"{page}/{deed}", {**typed, **changed})


def fee(minor: int = 900) -> Entry:
    now = clock.now()
    posting = postings.dispute_fee(
        source=Source("batch", uuid4(), "fee"), provider_account="sandbox", amount=Money(minor, "EUR")
    )
    return ledger.post(posting, occurred_at=now, now=now, cause="test")


def last_month() -> Month:
    present = Month.of(clock.now())
    return Month.of(present.starts_at - timedelta(days=1))


def test_a_journal_is_previewed_proposed_and_approved_by_another():
    maker, checker = person("Finance"), person("Finance approver")
    page = f"{NEW}?template=bank_charge"
    preview = maker.post(page, charge(step="preview", **fields(maker.get(page))))
    assert [str(line.amount) for line in preview.context["lines"]] == ["12.50 EUR", "-12.50 EUR"]
    assert [(effect.before, effect.after) for effect in preview.context["effects"]] == [(0, -1250), (0, 1250)]
    assert not Proposal.objects.exists()

    page = proposed(maker)
    assert "Approve</button>" not in maker.get(page).text
    assert "You proposed this, so somebody else approves it" in maker.get(page).text
    assert "Charges of the bank" in checker.get(JOURNALS).text
    assert decide(checker, page, "approve").url == page
    entry = Entry.objects.get()
    assert f"/console/ledger/entries/{entry}" in checker.get(page).text
    assert page in checker.get(f"/console/ledger/entries/{entry}").text
    assert page in checker.get("/console/search/", {"s": str(Proposal.objects.get())}).text


def test_a_form_sent_twice_counts_once():
    maker, checker = person("Finance"), person("Finance approver")
    page = f"{NEW}?template=bank_charge"
    preview = maker.post(page, charge(step="preview", **fields(maker.get(page))))
    typed = charge(step="propose", **fields(preview))
    assert maker.post(page, typed).url == maker.post(page, typed).url
    assert Proposal.objects.count() == 1
    context = checker.get(f"{JOURNALS}{Proposal.objects.get()}").context
    decision = {"form_token": context["form_token"], "version": context["proposal"].version}
    answers = [checker.post(f"{JOURNALS}{Proposal.objects.get()}/approve", decision) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert Entry.objects.count() == 1


def test_what_is_proposed_is_what_the_preview_showed():
    maker = person("Finance")
    page = f"{NEW}?template=bank_charge"
    preview = maker.post(page, charge(step="preview", **fields(maker.get(page))))
    changed = maker.post(page, charge(step="propose", amount="99.00", **fields(preview)))
    assert changed.status_code == 200
    assert [str(line.amount) for line in changed.context["lines"]] == ["99.00 EUR", "-99.00 EUR"]
    assert not Proposal.objects.exists()
    assert fields(changed)["form_token"] == fields(preview)["form_token"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"amount": "12,5"}, "could mean several amounts"),
        ({"amount": "12.505"}, "EUR has 2 decimals"),
        ({"amount": "-3"}, "greater than zero"),
        ({"amount": "1e3"}, "Write the amount like"),
        ({"currency": "EUX"}, "no active ISO 4217 currency"),
        ({"part_0": "a b"}, "cannot name an account"),
        ({"description": ""}, "This field is required"),
        ({"day": "2999-01-01"}, "cannot happen in the future"),
        ({"reason": " "}, "This field is required"),
    ],
)
def test_what_cannot_be_posted_is_told_beside_its_field_and_kept(changed, told):
    maker = person("Finance")
    answer = maker.post(f"{NEW}?template=bank_charge", charge(step="preview", **changed))
    assert told in answer.text
    assert "What would be posted" not in answer.text
    assert "Charges of the bank" in answer.text or "description" in changed


def test_free_lines_take_more_rows_and_a_file():
    maker = person("Finance")
    page = f"{NEW}?template=free"
    lines = {
        "account_0": "1010:main",
        "currency_0": "EUR",
        "debit_0": "10",
        "account_1": "4090",
        "currency_1": "eur",
        "credit_1": "10.00",
    }
    typed = {key: value for key, value in charge().items() if key not in ("amount", "currency", "part_0")} | lines
    token = fields(maker.get(page))["form_token"]
    more = maker.post(page, {**typed, "step": "more", "rows": "4", "form_token": token})
    assert more.context["form"].rows == 8
    assert 'value="1010:main"' in more.text
    typed |= {"rows": "8", "form_token": token}
    assert "needs a file that proves it" in maker.post(page, {**typed, "step": "preview"}).text
    evidence = SimpleUploadedFile("statement.txt", b"Page 3")
    preview = maker.post(page, {**typed, "step": "preview", "evidence": evidence})
    (kept,) = preview.context["kept"]
    proposal = maker.post(page, {**typed, "step": "propose", "attachment": str(kept), **fields(preview)})
    assert "statement.txt" in person("Viewer").get(proposal.url).text


def test_unequal_lines_are_refused():
    typed = {"account_0": "1010:main", "currency_0": "EUR", "debit_0": "10", "account_1": "4090", "currency_1": "EUR"}
    answer = person("Finance").post(f"{NEW}?template=free", {**charge(step="preview"), **typed, "credit_1": "9"})
    assert "What would be posted" not in answer.text
    assert answer.context["form"].non_field_errors()


def test_nobody_decides_on_their_own_proposal():
    alone = person("Finance approver")
    page = proposed(alone)
    refused = decide(alone, page, "approve")
    assert refused.status_code == 403
    assert "ask a colleague" in refused.text
    assert decide(alone, page, "return").status_code == 403
    assert decide(alone, page, "withdraw", reason="").status_code == 400
    assert decide(alone, page, "withdraw").status_code == 302
    assert Proposal.objects.get().state == "WITHDRAWN"
    assert not Entry.objects.exists()


def test_a_late_decision_is_told_who_was_first():
    maker, checker = person("Finance"), person("Finance approver")
    page = proposed(maker)
    seen = checker.get(page).context
    typed = {"form_token": seen["form_token"], "version": seen["proposal"].version, "reason": "The sum is wrong."}
    assert decide(checker, page, "return", reason="The sum is wrong.").status_code == 302
    late = checker.post(f"{page}/approve", typed)
    assert late.status_code == 409
    assert "rejected by somebody-finance-approver" in late.text
    assert "The sum is wrong." in maker.get(page).text


def test_facts_that_changed_are_shown_and_cannot_be_approved():
    maker, checker = person("Finance"), person("Finance approver")
    entry = fee()
    form = maker.get(f"/console/ledger/entries/{entry}/reverse").context["form_token"]
    typed = {"day": clock.now().date().isoformat(), "reason": "Booked twice.", "form_token": form}
    page = maker.post(f"/console/ledger/entries/{entry}/reverse", typed).url
    assert "proposed to take this entry back" in checker.get(f"/console/ledger/entries/{entry}").text
    ledger.reverse(entry.pk, cause="returned", occurred_at=clock.now(), now=clock.now())
    shown = checker.get(page)
    assert "Approve</button>" not in shown.text
    assert ("entry.state", "POSTED", "REVERSED") in [(c.field, c.before, c.after) for c in shown.context["changes"]]
    decide(checker, page, "approve")
    assert "The facts changed before it was approved" in checker.get(page).text
    assert Entry.objects.count() == 2


def test_an_entry_is_taken_back_by_two_people():
    maker, checker = person("Finance"), person("Finance approver")
    entry = fee()
    address = f"/console/ledger/entries/{entry}/reverse"
    assert address in maker.get(f"/console/ledger/entries/{entry}").text
    assert address not in person("Viewer").get(f"/console/ledger/entries/{entry}").text
    typed = {"day": clock.now().date().isoformat(), "reason": "Booked twice."}
    typed["form_token"] = maker.get(address).context["form_token"]
    page = maker.post(address, typed).url
    twice = maker.post(address, {**typed, "form_token": "another-token-for-this"})
    assert twice.status_code == 409
    assert decide(checker, page, "approve").status_code == 302
    assert Entry.objects.filter(reverses=entry).exists()


def test_each_right_is_named_where_it_is_missing():
    maker, viewer = person("Finance"), person("Viewer")
    page, month = proposed(maker), f"/console/ledger/periods/{last_month()}"
    for client, address, right, role in (
        (viewer, NEW, "ledger.propose_journal", "Finance"),
        (viewer, f"{page}/approve", "ledger.approve_journal", "Finance approver"),
        (maker, f"{page}/approve", "ledger.approve_journal", "Finance approver"),
        (maker, f"{month}/close", "ledger.close_period", "Finance approver, Admin"),
        (viewer, f"{month}/reopen", "ledger.propose_reopening", "Finance, Finance approver"),
    ):
        refused = client.post(address, {})
        assert refused.status_code == 403, address
        assert right in refused.text
        assert role in refused.text
    assert viewer.get(f"{page}/approve").status_code == 404


@pytest.mark.parametrize("address", [JOURNALS, "/console/ledger/periods/", "/console/ledger/trial-balance"])
def test_every_role_reads_the_ledgers_lists(address):
    assert {role: person(role).get(address).status_code for role in ROLES} == dict.fromkeys(ROLES, 200)


def test_a_month_is_closed_and_opened_again_by_two():
    maker, checker = person("Finance"), person("Finance approver")
    month = last_month()
    page = f"/console/ledger/periods/{month}"
    assert "Close the month</button>" not in maker.get(page).text
    shown = checker.get(page)
    assert "Close the month</button>" in shown.text
    typed = {"form_token": shown.context["form_token"], "reason": "All statements are in."}
    assert [checker.post(f"{page}/close", typed).status_code for _ in range(2)] == [302, 302]
    assert Period.objects.get().state == "CLOSED"
    assert AuditEntry.objects.filter(action="period.close").count() == 1
    assert str(month) in checker.get("/console/ledger/periods/").text

    token = maker.get(page).context["form_token"]
    asked = maker.post(f"{page}/reopen", {"form_token": token, "reason": "An invoice was forgotten."}).url
    assert decide(maker, asked, "approve").status_code == 403
    assert decide(checker, asked, "approve").status_code == 302
    assert Period.objects.get().state == "OPEN"
    assert "An invoice was forgotten." in checker.get(page).text


def test_a_month_that_lasts_says_why_it_is_not_closed():
    checker = person("Finance approver")
    page = f"/console/ledger/periods/{Month.of(clock.now())}"
    assert "It lasts until" in checker.get(page).text
    refused = checker.post(f"{page}/close", {"form_token": "a-token-of-a-forged-form"})
    assert refused.status_code == 409
    assert "close it after that" in refused.text
    assert checker.get("/console/ledger/periods/2026-13").status_code == 404


def test_what_happened_in_a_closed_month_is_previewed_with_its_later_effect():
    checker = person("Finance approver")
    month = last_month()
    page = f"/console/ledger/periods/{month}"
    checker.post(f"{page}/close", {"form_token": checker.get(page).context["form_token"]})
    new = f"{NEW}?template=bank_charge"
    preview = checker.post(new, charge(step="preview", day=month.start_date.isoformat()))
    assert preview.context["effective_at"] == month.ends_at
    assert "The books are closed for the day given" in preview.text
