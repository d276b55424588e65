"""One layer retries, and it is not the adapter: a request is heard once, and none leaves inside a transaction."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import transaction

from paymentops.core.money import Money
from paymentops.providers.adapters.adyen import adapter as adyen
from paymentops.providers.adapters.pix import adapter as pix
from paymentops.providers.adapters.sandbox import adapter as sandbox
from paymentops.providers.adapters.stripe import adapter as stripe
from paymentops.providers.contract import Instruction, Method, NotSent, Operation, Unknown, Withdrawing
from paymentops.providers.outside import CallInTransaction
from tests.providers.contract_suite import ask_about, instruct, take_back

ADAPTERS = [sandbox.NAME, stripe.NAME, adyen.NAME, pix.NAME]


@contextmanager
def failing() -> Iterator[tuple[str, list[str]]]:
    """Serve nothing but 500, and count."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            heard.append(self.path)
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()
        thread.join()


@pytest.fixture
def settle(settings: Any) -> Callable[[str, str], Any]:
    """Return the adapter of a name, made from settings as in production, talking to an address."""

    def made(name: str, url: str) -> Any:
        settings.SANDBOX_URL, settings.SANDBOX_API_KEY = url, "key"
        settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = url, "sk_test_12345"
        settings.ADYEN_API_BASE, settings.ADYEN_API_KEY = url, "key"
        settings.ADYEN_MERCHANT_ACCOUNT, settings.ADYEN_HMAC_KEYS = "Shop", ["00" * 32]
        settings.PIX_API_BASE, settings.PIX_TOKEN_URL = url, f"{url}/token"
        settings.PIX_CLIENT_ID, settings.PIX_CLIENT_SECRET, settings.PIX_KEY = "id", "secret", "key"
        settings.PIX_WEBHOOK_TOKENS = ["token-of-the-webhook"]
        module = {sandbox.NAME: sandbox, stripe.NAME: stripe, adyen.NAME: adyen, pix.NAME: pix}[name]
        provider = module.from_settings()
        assert provider is not None
        return provider

    return made


def wish(name: str, operation: Operation = Operation.AUTHORIZE) -> Instruction:
    """Return an instruction that the provider could carry out."""
    changed: dict[str, Any] = {"payment_token": "a-token", "provider_reference": "charge-1"}
    if name == pix.NAME:
        changed |= {"amount": Money(10000, "BRL"), "method": Method.PIX, "capture_now": True, "key_limit": 32}
    return instruct(operation, **changed)


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_failing_provider_is_called_once_per_dispatch(settle: Callable[[str, str], Any], name: str) -> None:
    with failing() as (url, heard):
        provider = settle(name, url)
        outcome = provider.authorize(wish(name))
        provider.close()
    assert isinstance(outcome, Unknown | NotSent)
    assert len(heard) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ADAPTERS)
def test_no_call_leaves_while_a_transaction_is_open(settle: Callable[[str, str], Any], name: str) -> None:
    """Whatever is called, and whoever forgot to look: the transport refuses before anything leaves."""
    with failing() as (url, heard):
        provider = settle(name, url)
        calls = [lambda: provider.authorize(wish(name)), lambda: provider.refund(wish(name, Operation.REFUND))]
        if provider.capabilities.can_inquire:
            calls.append(lambda: provider.inquire(ask_about(wish(name))))
        if isinstance(provider, Withdrawing):
            calls.append(lambda: provider.withdraw(take_back(wish(name))))
        for call in calls:
            with transaction.atomic(), pytest.raises(CallInTransaction):
                call()
        provider.close()
    assert heard == []
