"""A payment's story page: every lane, what must hold, and what is kept from whom."""

import pytest

from paymentops.console import checks
from paymentops.console.checks import Verdict
from paymentops.payments import timeline
from paymentops.payments.models import Payment
from tests.console.conftest import person
from tests.payments.conftest import stored

pytestmark = pytest.mark.django_db(transaction=True)


def verdicts(public_id: str) -> dict[str, Verdict]:
    return {check.title: check.verdict for check in checks.of(timeline.gather(stored(public_id)))}


def test_the_story_shows_every_lane_with_its_ledger_lines(viewer, eventful):
    page = viewer.get(f"/console/payments/{eventful}").text
    for shown in (
        "Payment requested",
        "Key used again: first answer replayed",
        "Key used again: refused, other command",
        "Authorisation: dispatched",
        "Authorisation sent to sandbox: approved",
        "Payment: partially captured",
        "Held in the ledger",
        "1110:sandbox",
        "Event payment.partially_captured",
        "Refund: succeeded",
    ):
        assert shown in page, shown
    for lane in ("request", "attempt", "provider", "state", "ledger", "event"):
        assert f"po-lane-{lane}" in page


def test_a_payer_who_came_back_and_one_who_never_did_are_told_without_what_they_brought(engineer, api, provider, work):
    back = api.pay(key="order-10293-attempt-1", payment_token="tok_redirect")["id"]
    gone = api.pay(key="order-10294-attempt-1", payment_token="tok_redirect")["id"]
    work()
    details = {"result": "approve", "ticket": "dGlja2V0"}
    assert api.post(f"payments/{back}/resume", {"details": details}, key="order-10293-resume-1").status_code == 201
    assert api.post(f"payments/{gone}/cancel", key="order-10294-cancel-1").status_code == 202
    work()
    page = engineer.get(f"/console/payments/{back}").text
    assert "Resume requested" in page
    assert "What the payer brought back handed in to sandbox: approved" in page
    assert "dGlja2V0" not in page
    page = engineer.get(f"/console/payments/{gone}").text
    assert "sandbox asked to take the authorisation back: done" in page
    assert "The charge was taken back before anything was moved." in page
    assert "Payment: cancelled" in page
    for public_id in (back, gone):
        assert Verdict.BROKEN not in verdicts(public_id).values()


def test_lanes_can_be_chosen_by_the_address(viewer, eventful):
    answer = viewer.get(f"/console/payments/{eventful}?lane=ledger&lane=request&lane=nonsense")
    assert {step.moment.lane for step in answer.context["steps"]} == {"ledger", "request"}
    assert answer.context["hidden"] > 0
    chosen = {lane.name: lane.query for lane in answer.context["filters"] if lane.chosen}
    assert chosen == {"Request": "?lane=ledger", "Ledger": "?lane=request"}


def test_personal_data_is_hidden_from_who_may_not_see_it(viewer, engineer, eventful):
    page = f"/console/payments/{eventful}"
    assert "cust-77001" not in viewer.get(page).text
    assert "••••01" in viewer.get(page).text
    assert "cust-77001" in engineer.get(page).text


def test_raw_records_are_for_engineers_and_hold_no_token(viewer, engineer, eventful):
    page = f"/console/payments/{eventful}"
    assert "Raw record" not in viewer.get(page).text
    assert "Raw record" not in person("Finance").get(page).text
    raw = engineer.get(page).text
    assert "Raw record" in raw
    assert "tok_approved" not in raw


def test_a_healthy_payment_holds_everything(eventful):
    assert set(verdicts(eventful).values()) <= {Verdict.HOLDS, Verdict.OPEN}
    assert verdicts(eventful)["Captured = ledger"] is Verdict.HOLDS
    assert verdicts(eventful)["Held = ledger"] is Verdict.HOLDS
    assert verdicts(eventful)["Refunded = ledger"] is Verdict.HOLDS


def test_a_payment_that_disagrees_with_its_books_is_shown_broken(viewer, eventful):
    Payment.objects.update(captured=4000, state="CAPTURED")
    broken = {title for title, verdict in verdicts(eventful).items() if verdict is Verdict.BROKEN}
    assert broken == {"State follows from its moves", "Captured = ledger", "Held = ledger"}
    assert "payment 40.00 EUR, ledger 50.00 EUR" in viewer.get(f"/console/payments/{eventful}").text


def test_an_unknown_outcome_says_what_happens_next(viewer, api, provider, work):
    created = api.pay(key="order-10293-attempt-1", payment_token="tok_error_after_effect")
    work()
    page = viewer.get(f"/console/payments/{created['id']}").text
    assert "Nobody knows yet" in page
    assert "not sent again blindly" in " ".join(page.split())
    assert verdicts(created["id"])["No outcome unknown"] is Verdict.OPEN


def test_the_future_of_a_payment_is_shown_with_the_rules_that_decide_it(viewer, api, provider, work):
    created = api.pay(key="order-10293-attempt-1")
    address = f"/console/payments/{created['id']}/retries"
    assert address in viewer.get(f"/console/payments/{created['id']}").text
    page = " ".join(viewer.get(address).text.split())
    assert "under the retry policy 2026-11-22" in page
    assert "A definitive no of the class SOFT_DECLINE allows a new attempt at the same provider." in page
    assert "class:HARD_DECLINE" in page
    work()
    assert "Nothing is open" in viewer.get(address).text


def test_a_declined_payment_says_why(viewer, api, provider, work):
    created = api.pay(key="order-10293-attempt-1", payment_token="tok_declined_lost_card")
    work()
    assert "declined by the issuer" in viewer.get(f"/console/payments/{created['id']}").text


def test_an_entry_leads_back_to_the_story(viewer, eventful):
    for entry in timeline.gather(stored(eventful)).entries:
        page = viewer.get(f"/console/ledger/entries/{entry.id}").text
        link = f"/console/sources/{entry.source_type}/{entry.source_id}"
        assert link in page
        assert viewer.get(link).url == f"/console/payments/{eventful}"


def test_a_statement_is_paged_and_its_balance_runs(viewer, eventful, monkeypatch):
    monkeypatch.setattr("paymentops.console.pages.ledger.accounts.LINES_PER_PAGE", 1)
    newest = viewer.get("/console/ledger/accounts/1110:sandbox?currency=EUR").context["page"]
    assert [(line.amount, line.balance) for line in newest.lines] == [(-1500, 3500)]
    older = viewer.get(f"/console/ledger/accounts/1110:sandbox?currency=EUR&before={newest.more}").context["page"]
    assert [(line.amount, line.balance) for line in older.lines] == [(5000, 5000)]
    assert older.more is None


def test_accounts_can_be_seen_as_of_a_day(viewer, eventful):
    nothing = viewer.get("/console/ledger/trial-balance?as_of=2020-01-01").context["trial_balances"]
    assert {account.posted for trial in nothing for account in trial.accounts} == {0}
    now = viewer.get("/console/ledger/trial-balance?as_of=2999-01-01T00:00:00").context["trial_balances"]
    assert [(trial.debits, trial.difference) for trial in now] == [(3500, 0)]
    assert "neither a day nor a moment" in viewer.get("/console/ledger/trial-balance?as_of=yesterday").text
