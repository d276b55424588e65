"""How often each fault has struck, for whoever asked for faults and wants to know that they came."""

from paymentops.providers.sandbox.truth import Truth


def count(truth: Truth, fault: str) -> None:
    """Note that a fault struck once more."""
    with truth.changing() as db:
        db.execute("INSERT INTO struck VALUES (?, 1) ON CONFLICT (fault) DO UPDATE SET times = times + 1", (fault,))


def counts(truth: Truth) -> dict[str, int]:
    """Return how often each fault has struck."""
    with truth.changing() as db:
        return {row["fault"]: int(row["times"]) for row in db.execute("SELECT * FROM struck ORDER BY fault")}
