"""Pages of the console: who may open them, what they show, and that longer lists take no more queries."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ledger.models import Entry
from paymentops.access.models import User
from paymentops.core import ids
from paymentops.events.models import OutboxEvent
from paymentops.payments.models import Attempt, Capture, Payment, Refund
from tests.console.conftest import ROLES, person

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/console/payments/payment/"


def everywhere(payment_id: str) -> list[str]:
    return [
        "/console/",
        LIST,
        f"/console/payments/{payment_id}",
        "/console/ledger/accounts/",
        "/console/ledger/accounts/?as_of=2026-11-21",
        "/console/ledger/accounts/1110:sandbox",
        "/console/ledger/accounts/1110:sandbox?currency=EUR",
        "/console/ledger/account/",
        "/console/ledger/entry/",
        f"/console/ledger/entries/{Entry.objects.latest('id')}",
        "/console/events/outboxevent/",
        "/console/events/deadletter/",
        "/console/search/?s=order-10293",
    ]


def test_every_role_reads_every_page_and_nobody_else_does(eventful):
    clients = {role: person(role) for role in ROLES}
    for page in everywhere(eventful):
        assert {role: clients[role].get(page).status_code for role in ROLES} == dict.fromkeys(ROLES, 200), page
        anonymous = Client().get(page)
        assert anonymous.status_code == 302, page
        assert anonymous.url.startswith("/console/login/?next=")


def test_the_root_leads_to_the_console():
    assert Client().get("/").url == "/console/"


def test_somebody_without_a_role_is_told_which_right_is_missing(eventful):
    client = Client()
    client.force_login(User.objects.create_user("newcomer", is_staff=True))
    refused = client.get(f"/console/payments/{eventful}")
    assert refused.status_code == 403
    assert "payments.view_payment" in refused.text
    assert client.get("/console/ledger/accounts/").status_code == 403
    assert "administrator can give you" in client.get("/console/").text
    assert "Payments</span>" not in client.get("/console/").text
    assert "order-10293" not in client.get("/console/search/?s=order-10293").text.replace("value=", "")


@pytest.mark.parametrize(
    "page",
    [
        "/console/payments/pay_12",
        f"/console/payments/pay_{'0' * 32}",
        "/console/ledger/accounts/9999",
        "/console/ledger/accounts/1110:sandbox?currency=XXX",
        "/console/ledger/entries/ent_12",
        f"/console/ledger/entries/ent_{'0' * 32}",
        "/console/sources/payment/00000000-0000-0000-0000-000000000000",
        "/console/sources/settlement/00000000-0000-0000-0000-000000000000",
    ],
)
def test_what_is_not_there_is_said_kindly(viewer, page):
    answer = viewer.get(page)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_payments_are_only_shown(eventful):
    root = person("Admin")
    payment = Payment.objects.get()
    change = reverse("admin:payments_payment_change", args=[payment.pk])
    assert root.get(reverse("admin:payments_payment_add")).status_code == 403
    assert root.post(change, {"requested": 1}).status_code == 403
    assert root.post(reverse("admin:payments_payment_delete", args=[payment.pk]), {"post": "yes"}).status_code == 403
    assert root.get(change).url == f"/console/payments/{eventful}"
    missing = reverse("admin:payments_payment_change", args=[ids.first_at(payment.created_at)])
    assert root.get(missing).url == LIST


def rows(client: Client, query: str) -> list[str]:
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200, query
    return [row.reference for row in answer.context["cl"].result_list]


def test_the_list_is_narrowed_by_what_people_know(viewer, api, provider, work):
    api.pay(key="order-1-attempt-one", reference="order-1", amount=12990, currency="EUR")
    api.pay(key="order-2-attempt-one", reference="order-2", amount=500, currency="JPY")
    api.pay(key="order-3-attempt-one", reference="order-3", amount=100000, payment_token="tok_declined_lost_card")
    api.pay(key="order-4-attempt-one", reference="order-4", amount=700, payment_token="tok_error_after_effect")
    work()
    today = f"{Payment.objects.latest('id').created_at:%Y-%m-%d}"

    assert rows(viewer, "") == ["order-4", "order-3", "order-2", "order-1"]
    assert rows(viewer, "state__exact=CAPTURED") == ["order-2", "order-1"]
    assert rows(viewer, "state__exact=FAILED&state__exact=UNKNOWN_OUTCOME") == ["order-4", "order-3"]
    assert rows(viewer, "outcome=unknown") == ["order-4"]
    assert rows(viewer, "currency=JPY") == ["order-2"]
    assert rows(viewer, "provider=sandbox&method__exact=card&currency=JPY") == ["order-2"]
    assert rows(viewer, "provider=stripe") == []
    assert rows(viewer, f"created_at_from={today}&created_at_to={today}&currency=JPY") == ["order-2"]
    assert rows(viewer, "created_at_to=2020-01-01") == []
    assert rows(viewer, "created_at_from=nonsense&amount_from=nonsense&currency=JPY") == ["order-2"]
    # 129.90 EUR and 500 JPY: people say major units, whatever the decimals of the currency.
    assert rows(viewer, "amount_from=129.90&amount_to=500") == ["order-2", "order-1"]
    assert rows(viewer, "amount_from=129.91&amount_to=499") == []


def test_a_payment_is_found_by_every_reference(viewer, eventful):
    attempt = Attempt.objects.order_by("id").first()
    refund_attempt = Attempt.objects.get(operation="REFUND")
    terms = [
        eventful,
        eventful[:16],
        attempt.public_id,
        Capture.objects.get().public_id,
        Refund.objects.get().public_id,
        *(str(entry) for entry in Entry.objects.all()),
        *(event.public_id for event in OutboxEvent.objects.all()),
        "order-10293",
        "cust-77001",
        "order-10293-attempt-1",
        "capture-one-10293",
        "refund-one-10293",
        attempt.provider_key,
        attempt.provider_reference,
        refund_attempt.provider_reference,
    ]
    for term in terms:
        assert rows(viewer, f"q={term}") == ["order-10293"], term
        assert "order-10293" in viewer.get("/console/search/", {"s": term}).text, term
    for other in ("ORDER-10293", "order-1029", "pay_12", "pay_zzzzzzzzzzzz", f"att_{'z' * 32}", f"evt_{'0' * 32}", "x"):
        assert rows(viewer, f"q={other}") == [], other


def test_search_finds_accounts_entries_events_and_clients(eventful):
    engineer = person("Engineer")
    entry, event = Entry.objects.latest("id"), OutboxEvent.objects.latest("id")
    client = ids.public(ids.Prefix.CLIENT, Payment.objects.get().client_id)
    for term, link in (
        ("1110:sandbox", "/console/ledger/accounts/1110:sandbox?currency=EUR"),
        (str(entry), f"/console/ledger/entries/{entry}"),
        (event.public_id, f"/console/events/outboxevent/{event.pk}/change/"),
        (client, "/console/access/apiclient/"),
        ("payments", LIST),
    ):
        assert link in engineer.get("/console/search/", {"s": term}).text, term
    assert engineer.get("/console/search/?s=").content == b""


def test_search_remembers_nothing(eventful):
    cache.clear()
    somebody = person("Viewer")
    assert "order-10293" in somebody.get("/console/search/?s=order-10293").text
    User.objects.get(username="somebody-viewer").groups.clear()
    assert eventful not in somebody.get("/console/search/?s=order-10293").text


@pytest.mark.parametrize("page", ["/console/", LIST, "/console/ledger/entry/", "/console/ledger/accounts/"])
def test_more_rows_take_no_more_queries(viewer, api, provider, work, page):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert viewer.get(page).status_code == 200
        return len(captured)

    api.pay(key="order-1-attempt-one")
    work()
    queries()
    few = queries()
    for number in range(2, 7):
        api.pay(key=f"order-{number}-attempt-one", currency="EUR")
    work()
    assert queries() == few <= 16


def test_each_number_of_the_overview_is_that_of_its_list(viewer, api, provider, work):
    for number, token in enumerate(("tok_approved", "tok_approved", "tok_error_after_effect"), start=1):
        api.pay(key=f"order-{number}-attempt-one", payment_token=token, amount=1000 * number)
    work()
    overview = viewer.get("/console/").context
    today = overview["today"].isoformat()

    assert overview["created_today"] == len(rows(viewer, f"created_at_from={today}")) == 3
    for state, count in overview["states"]:
        assert count == len(rows(viewer, f"created_at_from={today}&state__exact={state}"))
    assert overview["doubt"].payments == len(rows(viewer, "outcome=unknown")) == 1
    assert [str(money) for money in overview["doubt"].exposure] == ["30.00 EUR"]
    [chart] = overview["charts"]
    assert (chart.currency, chart.total, len(chart.bars)) == ("EUR", 3000, 14)
    assert overview["lag"].waiting == OutboxEvent.objects.filter(delivery_pending=True).count()


def test_the_sidebar_offers_what_the_person_may_open(db):
    def titles(role: str) -> list[str]:
        groups = person(role).get("/console/").context["sidebar_navigation"]
        return [item["title"] for group in groups for item in group["items"]]

    assert "Audit log" not in titles("Viewer")
    assert "API keys" not in titles("Finance")
    assert {"People", "Roles", "Audit log", "API keys"} <= set(titles("Admin"))
