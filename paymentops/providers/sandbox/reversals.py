"""Taking back what had succeeded, when the administrator says so: a sale or capture that fails, a returned refund."""

from datetime import datetime
from typing import Any

from paymentops.providers.sandbox.tokens import Kind
from paymentops.providers.sandbox.truth import OPERATIONS, Refused, Truth, moved


def take_back(truth: Truth, operation_id: str, *, amount: int, code: str, now: datetime) -> dict[str, Any]:
    """Take back what a capture, a sale or a refund had moved; 0 takes all that is left of it.

    Raises:
        Refused: there is no such operation, it moved nothing, or less of it is left.
    """
    with truth.changing() as db:
        row = db.execute(f"{OPERATIONS} WHERE o.id = ?", (operation_id,)).fetchone()
        if row is None:
            raise Refused(status=404, code="operation_not_found", message="There is no such operation.")
        left = moved(row) - int(row["reversed"])
        taken = amount or left
        if not 1 <= taken <= left:
            message = f"{left} of this operation can be taken back; {amount} was asked for."
            raise Refused(status=422, code="amount_exceeds_remainder", message=message)
        db.execute(
            "UPDATE operations SET reversed = reversed + ?, reversal_code = ?, reversed_at = ? WHERE id = ?",
            (taken, code, now.isoformat(), operation_id),
        )
        if row["kind"] == Kind.REFUND:
            db.execute("UPDATE charges SET refunded = refunded - ? WHERE id = ?", (taken, row["charge_id"]))
        else:
            db.execute("UPDATE charges SET reversed = reversed + ? WHERE id = ?", (taken, row["charge_id"]))
        return truth.operation(operation_id)
