"""Finding duplicates after the fact, so that accepting a payment costs nothing for it.

Each run looks at what came since the last one, and a little before: rows of transactions that took their time become
visible late. What was found before is found again and changes nothing.
"""

import json
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from paymentops.core import ids
from paymentops.idempotency.models import UseOutcome
from paymentops.payments import duplicates_sql, likeness
from paymentops.payments.models import DuplicateCause, DuplicateGroup, DuplicateMember, DuplicateScan, Payment
from paymentops.payments.operations.duplicates.groups import remember_alike

_LATE: Final = timedelta(minutes=1)
# After a pause the backlog is looked through in steps of this size, one per run.
_STEP: Final = timedelta(minutes=10)
_CAUSES: Final = {UseOutcome.REPLAYED: DuplicateCause.KEY_REPLAYED, UseOutcome.REFUSED: DuplicateCause.KEY_REUSED}


def find(*, now: datetime) -> int:
    """Look through what came since the last run; return how many payments look like an earlier one."""
    scan, _ = DuplicateScan.objects.get_or_create(name="duplicates", defaults={"until": now - _STEP})
    since, until = scan.until - _LATE, min(now, scan.until + _STEP)
    window = timedelta(seconds=settings.DUPLICATE_WINDOW_SECONDS)
    pairs = duplicates_sql.among_accepted(since=since, until=until, window=window)
    for later, earlier in pairs:
        remember_alike(later=later, earlier=earlier, now=now)
    for row in duplicates_sql.used_again(since=since, until=until):
        _remember_uses(row, now=now)
    # Last of all: whoever dies before it looks through the same again.
    DuplicateScan.objects.filter(pk=scan.pk, until__lt=until).update(until=until)
    return len(pairs)


@transaction.atomic
def _remember_uses(row: tuple[Any, ...], *, now: datetime) -> None:
    """Keep how often a key was used again, and for what; one group per key and outcome, however many uses."""
    key_id, client_id, key, _operation, resource_type, resource_id, outcome, count, first, last, fields = row
    cause = _CAUSES[UseOutcome(outcome)]
    payment = Payment.objects.filter(pk=resource_id).first() if resource_type == "payment" else None
    told = {
        "client_id": client_id,
        "cause": cause,
        "key": key,
        "currency": payment.currency if payment else "",
        "amount": payment.requested if payment else 0,
        "count": count,
        "refused": count if cause == DuplicateCause.KEY_REUSED else 0,
        "fields": sorted(set(json.loads(fields))),
        "first_seen_at": first,
        "last_seen_at": last,
    }
    group, _ = DuplicateGroup.objects.update_or_create(
        fingerprint=likeness.fingerprint(cause, key_id), defaults=told, create_defaults={"id": ids.new(now), **told}
    )
    if payment is not None:
        DuplicateMember.objects.get_or_create(
            group=group,
            payment=payment,
            provider_reference="",
            defaults={"id": ids.new(now), "key": key, "seen_at": payment.created_at},
        )
