"""``manage.py retries``: what would follow each answer, when, and which rule decides it."""

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from paymentops.core import ids
from paymentops.core.errors import ApplicationError
from paymentops.payments import retry
from paymentops.payments.models import Payment
from paymentops.payments.queries import retrying as queries
from paymentops.providers import registry
from paymentops.providers.contract import Operation, RetryClass

# A request that does not exist is sent at this moment, so that asking twice gives the same bytes.
_SOME_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Command(BaseCommand):
    help = "Shows the whole future schedule of a payment, or of an answer that nobody gave yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="preview")
        preview = commands.add_parser("preview", help="Show what would follow each class of the next answer.")
        preview.add_argument("payment", nargs="?", help="pay_…; without it the options below make up a case")
        preview.add_argument("--provider", help="whose answer it is")
        preview.add_argument("--operation", choices=[str(one) for one in Operation], default=str(Operation.AUTHORIZE))
        preview.add_argument("--code", default="", help="the provider's code")
        preview.add_argument(
            "--class", dest="given", choices=[str(one) for one in RetryClass], help="instead of a code"
        )
        preview.add_argument("--policy", help="a published version; default: the one new payments get")
        preview.add_argument("--attempt", type=UUID, default=UUID(int=0), help="the first attempt, for the jitter")
        preview.add_argument("--at", type=datetime.fromisoformat, default=_SOME_DAY, help="when it is first sent")
        preview.add_argument("--json", action="store_true", help="print one JSON object; the same case, the same bytes")

    def handle(self, **options: Any) -> None:
        try:
            document = _of_payment(options["payment"]) if options["payment"] else _made_up(options)
        except (ApplicationError, retry.NoSuchPolicy, Payment.DoesNotExist) as refusal:
            raise CommandError(str(getattr(refusal, "detail", refusal))) from refusal
        self.stdout.write(json.dumps(document, indent=2, sort_keys=True) if options["json"] else _as_text(document))


def _of_payment(public_id: str) -> dict[str, Any]:
    payment = Payment.objects.get(pk=ids.parse(ids.Prefix.PAYMENT, public_id))
    return {
        "payment": payment.public_id,
        "state": payment.state,
        "policy": payment.policy_version,
        "open": [
            {
                "attempt": future.attempt.public_id,
                "operation": future.attempt.operation,
                "provider": future.attempt.provider,
                "state": future.attempt.state,
                "next_action_at": future.attempt.next_action_at and future.attempt.next_action_at.isoformat(),
                "schedule": future.attempt.schedule,
                "plan": retry.as_document(future.branches),
            }
            for future in queries.futures_of(payment)
        ],
    }


def _made_up(options: dict[str, Any]) -> dict[str, Any]:
    provider, operation, at = options["provider"], Operation(options["operation"]), options["at"]
    if not provider:
        raise CommandError("Name a payment, or a --provider with a --code or a --class.")
    if at.tzinfo is None:
        raise CommandError("--at takes a moment with its offset, for example 2026-01-01T00:00:00+00:00.")
    policy = retry.policy(options["policy"] or settings.RETRY_POLICY)
    retry_class, rule = _meaning(policy, provider, operation, options["code"], options["given"])
    case = queries.hypothetical(policy=policy, provider=provider, operation=operation, root=options["attempt"], at=at)
    branches = [one for one in retry.plan(retry.Outlook(case=case, at=at)) if one.retry_class is retry_class]
    return {
        "policy": policy.version,
        "provider": provider,
        "operation": operation.value,
        "code": options["code"],
        "class": retry_class.value,
        "decided_by": rule,
        "plan": retry.as_document(branches),
    }


def _meaning(
    policy: retry.Policy, provider: str, operation: Operation, code: str, given: str | None
) -> tuple[RetryClass, str]:
    """Return what an answer means, and what says so."""
    rule = policy.decision_for(provider=provider, operation=operation, code=code) if code else None
    if rule is not None:
        return rule.retry_class, f"decision {rule.rule}"
    if given is not None:
        return RetryClass(given), "--class"
    declared = registry.get(provider).capabilities.declines
    if code not in declared:
        raise CommandError(f"Neither the policy nor {provider} lists the code {code!r}; say its --class.")
    return declared[code], f"the adapter of {provider}"


def _as_text(document: dict[str, Any]) -> str:
    lines = [f"policy {document['policy']}"]
    if "open" not in document:
        lines.append(f"{document['provider']} {document['code']}: {document['class']}, by {document['decided_by']}")
        return "\n".join([*lines, *_branches(document["plan"])])
    lines.append(f"{document['payment']} is {document['state']}")
    if not document["open"]:
        lines.append("Nothing is open, so nothing more happens by itself.")
    for attempt in document["open"]:
        lines.append(f"{attempt['operation']} at {attempt['provider']} is {attempt['state']}")
        lines.append(f"  next {attempt['next_action_at']}")
        lines += _branches(attempt["plan"])
    return "\n".join(lines)


def _branches(plan: list[dict[str, Any]]) -> list[str]:
    lines = []
    for branch in plan:
        lines.append(f"  if {branch['answer']}:")
        lines += [
            f"    {step['at']}  {step['does']:<11}  attempt {step['attempt']} at {step['provider']}"
            f"  [{step['rule']}] {step['because']}"
            for step in branch["steps"]
        ]
    return lines
