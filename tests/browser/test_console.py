"""The console in a real browser: the way people go, without a complaint of the browser, in light and dark."""

import pytest

from tests.browser.conftest import member, open_page, sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_signing_in_searching_and_reading_a_story(chromium, live_server, eventful, scheme):
    page, complaints = open_page(chromium, live_server, color_scheme=scheme)
    sign_in(page, member("Finance"))
    assert page.locator("h1:visible").all_inner_texts() == ["Overview"]
    assert page.evaluate("document.documentElement.classList.contains('dark')") is (scheme == "dark")

    page.click("nav >> text=Payments")
    page.fill("#searchbar", "order-10293")
    page.press("#searchbar", "Enter")
    page.click(f"a[title={eventful}]")
    page.wait_for_url(f"**/console/payments/{eventful}")
    assert page.locator("h1:visible").all_inner_texts() == ["Payment order-10293"]
    assert page.locator(".po-moment").count() > 20

    page.click(".po-lanes >> text=Ledger")
    page.wait_for_url("**?lane=ledger")
    page.click(".po-lines a >> nth=0")
    page.wait_for_url("**/console/ledger/accounts/**")
    page.click(".po-table a.po-id >> nth=0")
    page.click("text=the payment's story")
    page.wait_for_url(f"**/console/payments/{eventful}")
    assert complaints == []


def test_the_palette_finds_a_payment_by_its_key(chromium, live_server, eventful):
    page, complaints = open_page(chromium, live_server)
    sign_in(page, member("Viewer"))
    page.keyboard.press("Control+k")
    page.locator("#search-input-command").press_sequentially("order-10293-attempt-1")
    page.click(f"#command-results a[href='/console/payments/{eventful}']")
    page.wait_for_url(f"**/console/payments/{eventful}")
    assert complaints == []


def test_every_page_opens_without_a_complaint(chromium, live_server, eventful):
    page, complaints = open_page(chromium, live_server)
    sign_in(page, member("Admin"))
    links = page.locator("#nav-sidebar-apps a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(links) > 10
    for link in links:
        assert page.goto(link).status == 200, link
        if not link.startswith("/api/"):
            assert page.locator("h1:visible").count() == 1, link
            assert page.locator(".po-skip").count() == 1, link
    assert complaints == []


def test_the_story_can_be_read_without_scripts(chromium, live_server, eventful):
    page, _ = open_page(chromium, live_server, java_script_enabled=False)
    sign_in(page, member("Viewer"))
    page.goto(f"/console/payments/{eventful}")
    assert page.get_by_role("link", name="Payment requested").is_visible()
    assert not page.locator(".po-copy").first.is_visible()


def test_the_story_fits_a_narrow_window(chromium, live_server, eventful):
    page, _ = open_page(chromium, live_server)
    sign_in(page, member("Viewer"))
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(f"/console/payments/{eventful}")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
