"""``manage.py demo`` as a person runs it."""

import json
import subprocess
import time

import httpx
import pytest
from django.core.management import CommandError, call_command

from paymentops.local import system
from tests.local.conftest import data_dir
from tests.local.test_up import Up, environment, manage, started

__all__ = ["data_dir", "started"]


def test_the_demo_refuses_everything_but_a_local_system(settings):
    settings.ENVIRONMENT = "production"
    with pytest.raises(CommandError, match="for a local system; this is production"):
        call_command("demo")


@pytest.mark.parametrize("number", ["0", "-1", "many", "100001"])
def test_an_impossible_number_of_payments_is_refused(number):
    with pytest.raises(CommandError, match="a whole number from 1 to 100000"):
        call_command("demo", f"--payments={number}")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_shows_what_to_look_at_and_its_curl_line_works(data_dir, started):
    port = system.free_port_from(24100, but=0)
    demo = Up(data_dir, port, "--payments", "30", command="demo")
    started.append(demo)
    demo.until("-d '{")
    demo.until_ready()
    said = demo.lines
    assert said.index(f"ready http://127.0.0.1:{port}") < said.index(
        f"  Console            http://127.0.0.1:{port}/console/"
    )
    assert sum(line.startswith("  Login ") for line in said) == 7
    [line] = [line for line in said if line.startswith("curl ")]
    made = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=60)
    made_id = json.loads(made.stdout)["id"]

    key = shown(said, "API key")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Api-Key {key}"}) as http:
        assert eventually_captured(http, made_id)
        assert http.get("/api/schema").status_code == 200
        assert http.get("/readyz").status_code == 200
    verified = subprocess.run(
        manage("verify", "--data-dir", str(data_dir)), env=environment(), capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr

    demo.process.terminate()
    demo.end()
    again = Up(data_dir, port, "--payments", "30", command="demo")
    started.append(again)
    again.until("-d '{")
    assert shown(again.lines, "API key") == key
    assert shown(again.lines, "Password") == shown(said, "Password")
    assert not any("Two weeks of payments" in line for line in again.lines)


def eventually_captured(http: httpx.Client, payment: str) -> bool:
    """Wait for the worker, which on a busy machine starts after the web server."""
    for _ in range(100):
        if http.get(f"/api/v1/payments/{payment}").json()["state"] == "CAPTURED":
            return True
        time.sleep(0.5)
    return False


def shown(lines: list[str], name: str) -> str:
    [line] = [line for line in lines if line.startswith(f"  {name} ")]
    return line.removeprefix(f"  {name}").split()[0]
