from collections.abc import Iterator

import pytest

from paymentops.providers.adapters.sandbox.adapter import Config, SandboxProvider
from paymentops.providers.contract import Provider
from tests.plugins.processes import free_port
from tests.plugins.sandbox import SandboxServer, sandbox_provider
from tests.providers.contract_suite import ProviderContract


@pytest.fixture
def provider(sandbox: SandboxServer) -> Provider:
    return sandbox_provider(sandbox)


@pytest.fixture
def unreachable() -> Iterator[Provider]:
    provider = SandboxProvider(Config(url=f"http://127.0.0.1:{free_port()}", api_key="key", webhook_secrets=()))
    yield provider
    provider.close()


class TestSandboxMeetsTheContract(ProviderContract):
    approved = "tok_approved"
    declined = "tok_declined_insufficient_funds"
