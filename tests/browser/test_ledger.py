"""The ledger's pages in a real browser: from a preview to an entry by two people, also without scripts."""

import pytest

from ledger.models import Entry
from tests.browser.conftest import member, open_page, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.mark.parametrize("scripts", [True, False])
def test_two_people_post_a_journal(chromium, live_server, scripts):
    maker, complaints = open_page(chromium, live_server, java_script_enabled=scripts)
    sign_in(maker, member("Finance"))
    maker.goto("/console/ledger/journals/")
    maker.click("text=Propose a journal")
    maker.click("text=Bank charge")
    maker.fill("#id_description", "Charges of the bank")
    maker.fill("#id_amount", "12.50")
    maker.fill("#id_currency", "eur")
    maker.fill("#id_part_0", "main")
    maker.fill("#id_reason", "The statement shows it.")
    maker.click("button:text-is('Preview')")
    assert maker.get_by_role("heading", name="What would be posted").is_visible()
    maker.click("text=Propose this journal")
    maker.wait_for_url("**/journals/prp_*")
    address = maker.url
    assert maker.get_by_role("button", name="Approve").count() == 0

    checker, more_complaints = open_page(chromium, live_server, java_script_enabled=scripts)
    sign_in(checker, member("Finance approver"))
    checker.goto("/console/ledger/journals/")
    checker.click("text=Charges of the bank")
    checker.wait_for_url(address)
    checker.get_by_role("button", name="Approve").click()
    checker.click(f"text={Entry.objects.get()}")
    checker.wait_for_url("**/entries/ent_*")
    assert complaints == more_complaints == []


def test_the_ledgers_pages_fit_a_narrow_window(chromium, live_server, eventful):
    page, complaints = open_page(chromium, live_server)
    sign_in(page, member("Finance"))
    page.set_viewport_size({"width": 320, "height": 800})
    for address in (
        "accounts/",
        "accounts/1110:sandbox",
        "trial-balance",
        "journals/",
        "journals/new?template=free",
        "periods/",
        f"entries/{Entry.objects.latest('id')}",
    ):
        page.goto(f"/console/ledger/{address}")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, address
    assert complaints == []
