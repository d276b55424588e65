"""The future of a payment can be read before it happens, twice the same, and it happens as it was told."""

import json
import os
import subprocess
import sys
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command

from paymentops.payments.models import Attempt, Payment
from paymentops.payments.queries import retrying
from paymentops.providers.contract import RetryClass
from tests.payments.hands import Hands, fresh
from tests.payments.test_retrying import latest, soft, two_providers, wait_until_due

__all__ = ["two_providers"]


def preview(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("retries", "preview", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def told(payment: Payment, answer: str) -> list[dict[str, Any]]:
    [future] = preview(payment.public_id)["open"]
    [branch] = [one for one in future["plan"] if one["answer"] == answer]
    return branch["steps"]


@pytest.mark.django_db
def test_soft_declines_happen_as_the_preview_told(hands: Hands, two_providers: None) -> None:
    payment = hands.pay(provider="")
    hands.now = Attempt.objects.get().next_action_at
    steps = told(payment, "SOFT_DECLINE")
    assert [(step["does"], step["provider"]) for step in steps] == [
        ("new attempt", "stripe"),
        ("new attempt", "stripe"),
        ("stop", "stripe"),
    ]
    for step in steps:
        hands.send(soft(hands))
        if step["does"] == "stop":
            break
        assert latest().next_action_at == datetime.fromisoformat(step["at"])
        assert latest().provider == step["provider"]
        assert told(payment, "SOFT_DECLINE") == steps[steps.index(step) + 1 :]
        wait_until_due(hands)
    assert fresh(payment).state == "FAILED"
    assert latest().schedule["decided_by"] == steps[-1]["rule"]


@pytest.mark.django_db
def test_deferrals_and_the_failover_happen_as_the_preview_told(hands: Hands, two_providers: None) -> None:
    payment = hands.pay(provider="")
    hands.now = Attempt.objects.get().next_action_at
    steps = told(payment, "NOT_SENT")
    assert [step["does"] for step in steps[:3]] == ["send again", "send again", "new attempt"]
    for step in steps[:-1]:
        hands.send(hands.not_sent())
        present = Attempt.objects.open().get()
        assert (present.next_action_at.isoformat(), present.provider) == (step["at"], step["provider"])
        wait_until_due(hands)
    hands.send(hands.not_sent())
    assert fresh(payment).state == "FAILED"
    assert steps[-1]["does"] == "stop"


@pytest.mark.django_db
def test_inquiries_happen_as_the_preview_told(hands: Hands) -> None:
    payment = hands.pay()
    hands.now = Attempt.objects.get().next_action_at
    steps = told(payment, "UNKNOWN")
    hands.send(hands.unknown())
    for step in steps:
        assert Attempt.objects.get().next_action_at.isoformat() == step["at"]
        hands.ask(hands.unknown("inquiry_failed"))


@pytest.mark.django_db
def test_every_class_of_answer_has_its_future_and_a_payment_at_rest_has_none(hands: Hands) -> None:
    payment = hands.pay()
    [future] = retrying.futures_of(payment)
    assert [branch.retry_class for branch in future.branches] == list(RetryClass)
    assert all(branch.steps for branch in future.branches)
    never = {branch.retry_class: branch.steps[-1].rule for branch in future.branches}
    assert never[RetryClass.HARD_DECLINE] == "class:HARD_DECLINE"
    hands.send(hands.sold())
    assert preview(payment.public_id)["open"] == []


@pytest.mark.slow
def test_the_same_case_gives_the_same_bytes_in_two_processes() -> None:
    command = [sys.executable, "manage.py", "retries", "preview", "--provider", "sandbox", "--json"]
    command += ["--code", "insufficient_funds", "--policy", "2026-11-22"]
    outputs = [
        subprocess.run(
            command,
            cwd=configured.BASE_DIR,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    document = json.loads(outputs[0])
    assert (document["class"], document["decided_by"]) == ("SOFT_DECLINE", "the adapter of sandbox")
    assert [step["does"] for step in document["plan"][0]["steps"]] == ["new attempt", "new attempt", "stop"]


def test_a_code_means_what_the_policy_says_before_what_the_adapter_says(settings: Any) -> None:
    settings.STRIPE_API_KEY = "sk_test_of_a_test"
    case = ["--provider", "stripe", "--code", "transaction_not_allowed"]
    assert preview(*case)["decided_by"] == "decision stripe/AUTHORIZE/transaction_not_allowed"
    assert preview(*case, "--policy", "2026-11-01")["class"] == "SOFT_DECLINE"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--provider", "sandbox", "--code", "unheard_of"], "say its --class"),
        (["--provider", "nobody", "--class", "SOFT_DECLINE"], "no provider 'nobody'"),
        (["--provider", "sandbox", "--class", "SOFT_DECLINE", "--policy", "1999"], "published: 2026-11-01, 2026-11-22"),
        ([], "Name a payment"),
    ],
)
def test_a_preview_that_cannot_be_made_says_what_to_do(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        preview(*arguments)
