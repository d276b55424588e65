"""The queue of unknown outcomes at its doors: services see their own, operators all, in pages and a few queries."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from paymentops.core import clock
from paymentops.payments.models import Attempt
from paymentops.payments.operations import dispatching, outcomes
from paymentops.payments.queries import ambiguity as reading
from tests.payments.conftest import Api, make_api
from tests.payments.hands import Hands, fresh

pytestmark = pytest.mark.django_db
URL = "ambiguous-outcomes"


@pytest.fixture
def mine(hands: Hands) -> Api:
    """The API, as the client whose payments ``hands`` makes."""
    api = make_api("seller")
    hands.requester = type(hands.requester)(client_id=api.client_id, api_key_prefix="test")
    return api


def unknown(hands: Hands, **changes: Any) -> Attempt:
    payment = hands.pay(**changes)
    hands.send(hands.unknown())
    return payment.attempts.get()


def cli(*words: str) -> str:
    out = StringIO()
    call_command("ambiguity", *words, stdout=out)
    return out.getvalue()


def test_a_service_sees_its_own_unknown_outcomes_with_what_is_at_stake(mine, hands) -> None:
    attempt = unknown(hands)
    hands.ask(hands.unknown())
    unknown(hands, amount=500)
    answer = mine.get(URL).json()
    assert answer["exposure"] == [{"amount": 10500, "currency": "EUR", "attempts": 2}]
    assert answer["next"] is None
    first = answer["results"][0]
    assert (first["id"], first["asked"], first["last_answer"], first["state"]) == (
        attempt.public_id,
        1,
        "Unknown",
        "UNKNOWN",
    )
    assert first["next_inquiry_at"] == first["next_at"] is not None
    assert (first["safe_to_retry"]["safe"], first["safe_to_retry"]["reason"]) == (False, "no_clear_answer")
    assert make_api("other").get(URL).json() == {"next": None, "exposure": [], "results": []}


def test_one_attempt_is_shown_with_its_calls_also_once_it_is_known(mine, hands) -> None:
    attempt = unknown(hands)
    hands.ask(hands.sold())
    shown = mine.get(f"{URL}/{attempt.public_id}").json()
    assert [(call["kind"], call["outcome"]) for call in shown["calls"]] == [
        ("DISPATCH", "Unknown"),
        ("INQUIRY", "Approved"),
    ]
    assert shown["safe_to_retry"]["sentence"] == "No, because the authorisation happened."
    assert make_api("other").get(f"{URL}/{attempt.public_id}").status_code == 404
    assert mine.get(f"{URL}/att_nothing").status_code == 404


def test_a_service_has_the_provider_asked_at_once(mine, hands) -> None:
    attempt = unknown(hands)
    for _ in range(2):
        answer = mine.post(f"{URL}/{attempt.public_id}/inquiry")
        assert answer.status_code == 202
    assert fresh(attempt).next_action_at <= clock.now()
    hands.ask(hands.sold())
    refused = mine.post(f"{URL}/{attempt.public_id}/inquiry")
    assert (refused.status_code, refused.json()["code"]) == (409, "payment.nothing_to_ask")
    reader = make_api("reader", ["payments:read"])
    assert reader.post(f"{URL}/{attempt.public_id}/inquiry").status_code == 403


def test_pages_go_on_behind_the_last_attempt_and_keep_the_filters(mine, hands) -> None:
    wanted = [unknown(hands).public_id for _ in range(5)]
    unknown(hands, capture="manual")
    seen, query = [], {"operation": "AUTHORIZE", "limit": "2"}
    while True:
        page = mine.get(URL, **query).json()
        seen += [row["id"] for row in page["results"]]
        if page["next"] is None:
            break
        assert "operation=AUTHORIZE" in page["next"]
        query["after"] = page["next"].partition("after=")[2]
    assert seen[:5] == wanted
    assert len(set(seen)) == len(seen) == 6
    assert mine.get(URL, provider="stripe").json()["results"] == []
    assert mine.get(URL, unheard="1").status_code == 400
    assert mine.get(URL, after="att_0").status_code == 404


def test_a_long_queue_takes_as_many_queries_as_a_short_one(mine, hands) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert mine.get(URL).status_code == 200
        return len(captured)

    unknown(hands)
    mine.get(URL)
    few = queries()
    for _ in range(6):
        attempt = unknown(hands)
    hands.ask(hands.unknown())
    assert attempt.payment_id
    assert queries() == few


def test_what_waits_beyond_its_limit_stands_in_the_queue_too(hands, settings) -> None:
    settings.WAITING_LIMIT_HOURS = 24
    hands.pay()
    sent = hands.sending()
    assert not reading.ambiguous(now=hands.now).exists()
    hands.wait(181)
    assert reading.ambiguous(now=hands.now).count() == 1
    hands.answer(sent, _pending(hands))
    assert not reading.ambiguous(now=hands.now).exists()
    hands.wait(25 * 3600)
    [found] = reading.judged(reading.ambiguous(now=hands.now), now=hands.now)
    assert found.verdict.reason == "provider_is_working"


def test_operators_list_show_and_ask(hands) -> None:
    attempt = unknown(hands)
    listed = cli("list")
    assert attempt.public_id in listed
    assert "Safe to retry? No, because the authorisation may have happened" in listed
    assert "At stake: 100.00 EUR on 1 attempts." in listed or "At stake:" in listed
    assert "due now" in cli("ask", attempt.public_id)
    assert "due or under way already" in cli("ask", attempt.public_id)
    shown = json.loads(cli("show", attempt.public_id, "--json"))
    assert (shown["next_step"], len(shown["calls"])) == ("ask", 1)
    assert json.loads(cli("list", "--json"))["results"][0]["id"] == attempt.public_id
    hands.ask(hands.sold())
    assert cli("list").strip() == "Every outcome is known."
    with pytest.raises(CommandError, match="nothing to ask"):
        cli("ask", attempt.public_id)


def _pending(hands: Hands) -> Any:
    return outcomes.Pending(provider_reference="ch_1", at=hands.now)


def test_an_inquiry_that_found_nothing_twice_makes_it_safe(hands, settings) -> None:
    settings.SANDBOX_VISIBILITY_SECONDS, settings.SANDBOX_NOT_FOUND_GAP_SECONDS = 900, 60
    settings.SANDBOX_INQUIRY_SECONDS = [1200, 90]
    attempt = unknown(hands)
    reasons = []
    while fresh(attempt).is_open:
        [found] = reading.judged([fresh(attempt)], now=hands.now)
        reasons.append(found.verdict.reason)
        step = hands.asking()
        if hands.answer(step, hands.not_found()).resend:
            resend = dispatching.begin_resend(claim=step.claim, now=hands.now)
            hands.answer(resend, hands.unknown())
    assert reasons[:3] == ["not_asked_yet", "not_found_once", "not_found_too_early"]
    [found] = reading.judged([fresh(attempt)], now=hands.now)
    assert (found.verdict.safe, found.verdict.reason) == (True, "not_executed")
