"""What every call that leaves this process makes sure of first."""

from django.db import connection


class CallInTransaction(RuntimeError):
    """A provider was about to be called while a transaction was open: a programming mistake."""


def require_no_transaction() -> None:
    """Refuse to leave this process while a transaction of this thread is open.

    A call may take as long as the provider likes, and every row the transaction has locked would wait with it; and what
    the provider did could not be undone with the transaction.

    Raises:
        CallInTransaction: a transaction is open.
    """
    if connection.in_atomic_block:
        raise CallInTransaction("A provider call may not happen inside a transaction.")
