import os
import warnings

import pytest
from pytest_django import Settings

from paymentops.providers import registry
from paymentops.providers.adapters.sandbox.adapter import SandboxProvider


def test_the_sandbox_is_always_there_and_the_same_one() -> None:
    assert isinstance(registry.get("sandbox"), SandboxProvider)
    assert registry.get("sandbox") is registry.get("sandbox")


def test_a_provider_without_credentials_is_not_offered(settings: Settings) -> None:
    settings.STRIPE_API_KEY = ""
    assert registry.names() == ["sandbox"]
    with pytest.raises(registry.UnknownProvider) as raised:
        registry.get("stripe")
    assert raised.value.problem()["known"] == ["sandbox"]


def test_a_provider_with_credentials_is_offered(settings: Settings) -> None:
    settings.STRIPE_API_KEY = "sk_test_12345"
    assert registry.names() == ["sandbox", "stripe"]
    assert registry.get("stripe").name == "stripe"


def test_a_change_of_settings_makes_another_adapter(settings: Settings) -> None:
    before = registry.get("sandbox")
    settings.SANDBOX_TIMEOUT_SECONDS = 0.25
    after = registry.get("sandbox")
    assert after is not before
    assert after.capabilities.call_timeout.total_seconds() == 0.25


def test_a_forked_worker_makes_its_own_connections() -> None:
    before = registry.get("sandbox")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other tests' threads may be alive
        child = os.fork()
    if child == 0:
        os._exit(0 if registry.get("sandbox") is not before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert registry.get("sandbox") is before


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("adyen", {"ADYEN_API_KEY": "key", "ADYEN_MERCHANT_ACCOUNT": "ShopCOM"}),
        (
            "pix",
            {
                "PIX_API_BASE": "https://pix.example.com/api/v2",
                "PIX_TOKEN_URL": "https://pix.example.com/oauth/token",
                "PIX_CLIENT_ID": "client",
                "PIX_KEY": "7d9f0335-8dcc-4054-9bf9-0dbd61d36906",
            },
        ),
    ],
)
def test_a_provider_is_offered_when_all_it_needs_is_set(settings: Settings, name: str, needed: dict[str, str]) -> None:
    settings.STRIPE_API_KEY = ""
    for setting, value in needed.items():
        assert name not in registry.names()
        setattr(settings, setting, value)
    assert registry.names() == sorted(["sandbox", name])
    assert registry.get(name).name == name
    assert set(registry.capabilities()) == {"sandbox", name}
