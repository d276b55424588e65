"""Whether one statement follows another, by its numbers and balances."""

from reconciliation.formats.contract import StatementHeader


def gap(before: StatementHeader, after: StatementHeader) -> str:
    """Return what is missing between two statements of one account, as a sentence; empty if nothing is known to be.

    Pages of one statement follow each other, statement numbers go up by one; numbers begin again with each year, so a
    smaller number says nothing.
    """
    if before.account != after.account:
        return ""
    if before.sequence == after.sequence and before.page is not None and after.page is not None:
        missing = after.page - before.page - 1
        return f"{missing} page(s) are missing before page {after.page}." if missing > 0 else ""
    first, second = _number(before.sequence), _number(after.sequence)
    if first is None or second is None or second <= first + 1:
        return ""
    return f"Statement {second} follows statement {first}: {second - first - 1} missing between."


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
