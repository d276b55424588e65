"""TLS in both directions: the bank lets in only who shows the certificate it knows."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paymentops.providers.adapters.pix.adapter import Config, PixProvider
from paymentops.providers.adapters.pix.client import Credentials
from paymentops.providers.contract import ActionRequired, NotSent
from tests.providers.fakes import pix as fake
from tests.providers.fakes.pix import PixServer
from tests.providers.test_pix_contract import charge

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificates with openssl")


def make_certificate(folder: Path, name: str) -> tuple[str, str]:
    """Return the paths of a certificate, signed by itself, and of its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return str(certificate), str(key)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_certificate(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_certificate(tmp_path_factory.mktemp("bank"), "bank")


@pytest.fixture
def server(ours: tuple[str, str], banks: tuple[str, str]) -> Iterator[PixServer]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ours[0])
    tls.verify_mode = ssl.CERT_REQUIRED
    # Under TLS 1.3 a client learns only after its request that its certificate was refused.
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(*banks)
    with PixServer(tls=tls) as server:
        yield server


def outcome_with(server: PixServer, *, certificate: str = "", private_key: str = "", authorities: str = "") -> object:
    provider = PixProvider(
        Config(
            api_base=server.api_base,
            credentials=Credentials(
                token_url=server.token_url, client_id=fake.CLIENT_ID, client_secret=fake.CLIENT_SECRET, scope=""
            ),
            pix_key=fake.PIX_KEY,
            certificate=certificate,
            private_key=private_key,
            authorities=authorities,
        )
    )
    try:
        return provider.authorize(charge())
    finally:
        provider.close()


def test_with_our_certificate_and_the_banks_roots_the_call_goes_through(
    server: PixServer, ours: tuple[str, str], banks: tuple[str, str]
) -> None:
    outcome = outcome_with(server, certificate=ours[0], private_key=ours[1], authorities=banks[0])
    assert isinstance(outcome, ActionRequired)


def test_without_our_certificate_nothing_leaves(server: PixServer, banks: tuple[str, str]) -> None:
    assert isinstance(outcome_with(server, authorities=banks[0]), NotSent)
    assert server.asked == []


def test_a_bank_that_cannot_prove_itself_gets_nothing(server: PixServer, ours: tuple[str, str]) -> None:
    assert isinstance(outcome_with(server, certificate=ours[0], private_key=ours[1]), NotSent)
    assert server.asked == []
