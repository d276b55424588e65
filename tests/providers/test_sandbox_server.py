"""The sandbox's HTTP interface refuses what is wrong in its own words, and never with a 500."""

import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.plugins.processes import ROOT
from tests.plugins.sandbox import SandboxServer

CHARGE = {"amount": 100, "currency": "EUR", "source": "tok_approved", "reference": "pay_1", "method": "card"}


def post(
    sandbox: SandboxServer, path: str = "/v1/charges", *, key: str = "po-12345678", **options: Any
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {sandbox.api_key}", "Idempotency-Key": key, **options.pop("headers", {})}
    return httpx.post(f"{sandbox.url}{path}", headers=headers, trust_env=False, **options)


@pytest.mark.parametrize(
    "body",
    [
        {**CHARGE, "amount": 0},
        {**CHARGE, "amount": -1},
        {**CHARGE, "amount": "100"},
        {**CHARGE, "amount": True},
        {**CHARGE, "amount": 2**53},
        {**CHARGE, "currency": "eur"},
        {**CHARGE, "reference": 5},
        [],
        None,
    ],
)
def test_a_wrong_body_is_refused(sandbox: SandboxServer, body: Any) -> None:
    assert post(sandbox, json=body).status_code == 400


def test_a_body_that_is_not_json_is_refused(sandbox: SandboxServer) -> None:
    assert post(sandbox, content=b"\xff{").status_code == 400


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "with space"])
def test_a_wrong_key_is_refused(sandbox: SandboxServer, key: str) -> None:
    assert post(sandbox, key=key, json=CHARGE).status_code == 400


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-01T00:00:00"])
def test_a_wrong_moment_is_refused(sandbox: SandboxServer, moment: str) -> None:
    assert post(sandbox, json=CHARGE, headers={"X-Sandbox-Now": moment}).status_code == 400


def test_an_operation_on_an_unknown_charge_is_not_found(sandbox: SandboxServer) -> None:
    assert post(sandbox, "/v1/charges/ch_none/refunds", json={"amount": 1}).status_code == 404


def test_operations_are_found_by_reference_too(sandbox: SandboxServer) -> None:
    made = post(sandbox, json=CHARGE).json()
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    found = httpx.get(f"{sandbox.url}/v1/operations?reference=pay_1", headers=headers, trust_env=False).json()
    assert found["data"] == [made]
    assert httpx.get(f"{sandbox.url}/v1/operations", headers=headers, trust_env=False).status_code == 400


def test_the_truth_is_paged_and_can_be_forgotten(sandbox: SandboxServer) -> None:
    for number in range(3):
        post(sandbox, key=f"po-1234567{number}", json=CHARGE)
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    page = httpx.get(f"{sandbox.url}/admin/truth?limit=2", headers=headers, trust_env=False).json()
    assert len(page["charges"]) == 2
    rest = httpx.get(f"{sandbox.url}/admin/truth?after={page['next']}", headers=headers, trust_env=False).json()
    assert (len(rest["charges"]), rest["next"]) == (1, None)
    sandbox.reset()
    assert sandbox.truth() == []


def test_a_taken_port_is_refused_with_a_sentence(sandbox: SandboxServer) -> None:
    command = [
        sys.executable,
        "-m",
        "paymentops.providers.sandbox",
        "--port",
        str(sandbox.port),
        "--data-dir",
        "/nowhere",
    ]
    environment = {**os.environ, "PAYMENTOPS_SANDBOX_API_KEY": "key"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "cannot listen" in ended.stderr
