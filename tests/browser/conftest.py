"""A real browser on a running server. Debian's Chromium is used; without it these tests are skipped."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Browser, Page, sync_playwright

from paymentops.access.models import User
from tests.console.conftest import api, eventful, provider, sandbox, sandbox_server, work

__all__ = ["api", "eventful", "provider", "sandbox", "sandbox_server", "work"]

PASSWORD = "a long pass phrase"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no Chromium here")
    # Playwright runs an event loop in this thread, which Django would take for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def open_page(chromium: Browser, live_server, **options) -> tuple[Page, list[str]]:
    """Return a page and the list in which everything the browser complains about is collected."""
    context = chromium.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900}, **options)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


def member(role: str) -> User:
    user = User.objects.create_user(f"somebody-{role.lower()}", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def sign_in(page: Page, user: User) -> None:
    page.goto("/")
    page.fill("input[name=username]", user.get_username())
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/console/")
