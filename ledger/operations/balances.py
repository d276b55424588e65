"""Checking stored balances against the lines, and making them anew."""

from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction

from ledger import sealing_sql
from ledger.models import Account, FoldedBalance
from ledger.queries import AccountNotFound, drift
from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.core import failpoints
from paymentops.core.failpoints import Point
from paymentops.events import operations as events

# How many of the rows that differ an event names.
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class BalanceCheck:
    """One account whose stored balances were compared with its lines, and the first rows that differ."""

    code: str
    currency: str
    violations: tuple[str, ...]


def check_next_balance(*, checked_before: datetime, now: datetime) -> BalanceCheck | None:
    """Compare the stored balances of the account whose check is longest ago; ``None`` when none is due.

    Args:
        checked_before: an account is due whose last check was earlier.
        now: when the check is made.

    An account that differs is marked: its balances are computed from its lines until ``rebuild_balances``. Emits
    ``ledger.balance_drifted`` when that is new.
    """
    found = drift.least_checked(before=checked_before)
    if found is None:
        return None
    account_id, code, currency = found
    return _checked(account_id, code, currency, now=now)


def check_balance(*, code: str, currency: str, now: datetime) -> BalanceCheck:
    """Compare the stored balances of one account with its lines; see ``check_next_balance``.

    Raises:
        AccountNotFound: there is no such account.
    """
    account = _account(code, currency)
    return _checked(account.pk, code, currency, now=now)


def rebuild_balances(*, code: str, currency: str, reason: str, by: Actor, now: datetime) -> FoldedBalance:
    """Make movements, snapshots and the sum of one account anew from its sealed lines, and believe them again.

    Args:
        code: the account.
        currency: its ISO 4217 code.
        reason: why, for the audit row.
        by: who asks for it.
        now: when.

    Raises:
        AccountNotFound: there is no such account.

    Locks the chain's head: sealing waits meanwhile. Must be called outside a transaction.
    """
    account = _account(code, currency)
    with transaction.atomic(durable=True):
        sealing_sql.lock_head(wait=True)
        before = FoldedBalance.objects.select_for_update(no_key=True).filter(account=account).first()
        sealing_sql.refold(account.pk, now=now)
        after = FoldedBalance.objects.get(account=account)
        access.audit(
            action="ledger.rebuild",
            actor=by,
            object_type="ledger_account",
            object_id=str(account),
            before=_facts(before),
            after=_facts(after),
            reason=reason,
            now=now,
        )
    return after


def _account(code: str, currency: str) -> Account:
    account = Account.objects.filter(code=code, currency=currency).first()
    if account is None:
        raise AccountNotFound(f"There is no account {code} in {currency}; it is opened by its first entry.")
    return account


def _checked(account_id: int, code: str, currency: str, *, now: datetime) -> BalanceCheck:
    found = _differing(account_id)
    with transaction.atomic():
        folded, _ = FoldedBalance.objects.select_for_update(no_key=True).get_or_create(
            account_id=account_id,
            defaults={"posted": 0, "pending_debits": 0, "pending_credits": 0, "movements": 0},
        )
        # Compared again under the lock, which sealing waits for: somebody may have rebuilt the account meanwhile.
        result = BalanceCheck(code, currency, found if found and _differing(account_id) else ())
        folded.checked_at = now
        if result.violations and folded.drifted_at is None:
            folded.drifted_at = now
            folded.drifts += 1
            _tell(folded, result, now=now)
        folded.save(update_fields=["checked_at", "drifted_at", "drifts"])
        failpoints.reach(Point.BALANCE_BEFORE_COMMIT)
    return result


def _differing(account_id: int) -> tuple[str, ...]:
    differing = chain(
        drift.movements(account_id=account_id),
        drift.snapshots(account_id=account_id),
        drift.sums(account_id=account_id),
    )
    return tuple(islice(differing, _NAMED))


def _tell(folded: FoldedBalance, result: BalanceCheck, *, now: datetime) -> None:
    events.record(
        aggregate_type="ledger_account",
        aggregate_id=_aggregate(folded.pk),
        sequence=folded.drifts,
        type="ledger.balance_drifted",
        data={"account": result.code, "currency": result.currency, "violations": list(result.violations)},
        occurred_at=now,
        now=now,
    )


def _aggregate(account_id: int) -> UUID:
    return uuid5(NAMESPACE_URL, f"urn:paymentops:ledger:account:{account_id}")


def _facts(folded: FoldedBalance | None) -> dict[str, str | None]:
    if folded is None:
        return {}
    return {
        "posted": str(folded.posted),
        "movements": str(folded.movements),
        "drifted_at": folded.drifted_at.isoformat() if folded.drifted_at else None,
    }
