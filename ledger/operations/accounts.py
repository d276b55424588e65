"""Closing an account without deleting it, and opening it again."""

from datetime import datetime
from typing import Final

from django.db import transaction

from ledger import queries
from ledger.models import Account
from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.casework.operations import rights
from paymentops.casework.operations.proposing import reason_of
from paymentops.core.errors import Conflict, NotFound

MAY_CLOSE: Final = "ledger.close_account"


class AccountNotFound(NotFound):
    """No entry has used an account yet, so it does not exist in this currency."""

    code = "ledger.account_not_found"


class AccountNotEmpty(Conflict):
    """An account that holds something cannot be closed."""

    code = "ledger.account_not_empty"
    title = "The account is not empty"


@transaction.atomic
def close_account(*, code: str, currency: str, reason: str, by: Actor, now: datetime) -> Account:
    """Take no more postings on an account that stands at zero; a closed one stays as it is.

    Locks the account, which makes postings on it wait, and those that were under way finish first.

    Raises:
        AccountNotFound: there is none.
        AccountNotEmpty: its posted balance is not zero, or an entry on it is pending.
        NotAllowed, InvalidInput: the person may not; there is no reason.
    """
    rights.require_person(actor=by, permission=MAY_CLOSE)
    why = reason_of(reason)
    account = _locked(code, currency)
    if account.closed_at is not None:
        return account
    _require_empty(account)
    return _set(account, closed_at=now, action="account.close", reason=why, by=by, now=now)


@transaction.atomic
def reopen_account(*, code: str, currency: str, reason: str, by: Actor, now: datetime) -> Account:
    """Take postings on a closed account again; an open one stays as it is. Locks the account.

    Raises:
        AccountNotFound: there is none.
        NotAllowed, InvalidInput: the person may not; there is no reason.
    """
    rights.require_person(actor=by, permission=MAY_CLOSE)
    why = reason_of(reason)
    account = _locked(code, currency)
    if account.closed_at is None:
        return account
    return _set(account, closed_at=None, action="account.reopen", reason=why, by=by, now=now)


def _locked(code: str, currency: str) -> Account:
    # FOR UPDATE and nothing weaker: a posting holds FOR KEY SHARE on its accounts until it commits, by its foreign key.
    account = Account.objects.select_for_update().filter(code=code, currency=currency).first()
    if account is None:
        raise AccountNotFound(f"There is no account {code[:120]} in {currency[:3]}.")
    return account


def _require_empty(account: Account) -> None:
    (balance,) = (found for found in queries.balances(codes=[account.code]) if found.currency == account.currency)
    if balance.posted or balance.pending:
        raise AccountNotEmpty(
            f"{account} holds {balance.posted} posted and {balance.pending} pending; bring both to zero first."
        )
    # Each side on its own: pending entries may add up to nothing. Both are stored, so no line has to be looked for.
    if balance.pending_debits or balance.pending_credits:
        raise AccountNotEmpty(f"Entries on {account} are pending; settle or void them first.")


def _set(
    account: Account, *, closed_at: datetime | None, action: str, reason: str, by: Actor, now: datetime
) -> Account:
    before = account.closed_at
    account.closed_at = closed_at
    account.save(update_fields=["closed_at"])
    access.audit(
        action=action,
        actor=by,
        object_type="account",
        object_id=str(account)[:80],
        before={"closed_at": before.isoformat() if before else None},
        after={"closed_at": closed_at.isoformat() if closed_at else None},
        reason=reason,
        now=now,
    )
    return account
