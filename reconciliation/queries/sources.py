"""Sources and what they allow."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db.models import QuerySet

from paymentops.core.errors import NotFound
from reconciliation.models import Source, ToleranceKind, ToleranceRule

_WHOLE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an amount may be off: the larger of an absolute amount in minor units and a part in basis points."""

    absolute_minor: int
    basis_points: int

    def allows(self, difference_minor: int, *, gross_minor: int) -> bool:
        """Tell whether a difference is within it; half a minor unit of the part does not count."""
        most = max(self.absolute_minor, abs(gross_minor) * self.basis_points // _WHOLE)
        return abs(difference_minor) <= most


# Where a source says nothing: fees by the rule of the field, exchanges not at all.
_UNLESS_SAID: Final = {ToleranceKind.FEE: Tolerance(1, 50), ToleranceKind.FX: Tolerance(0, 0)}


def source(name: str, *, lock: bool = False) -> Source:
    """Return a source by its name, locked where asked for.

    Raises:
        NotFound: there is none.
    """
    rows = Source.objects.select_for_update(of=("self",)) if lock else Source.objects.all()
    found = rows.select_related("owner").filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no source {name[:80]!r}.")
    return found


def sources() -> QuerySet[Source]:
    """Return every source with its owner, by name."""
    return Source.objects.select_related("owner").order_by("name")


def tolerance_at(source: Source, *, kind: ToleranceKind, day: date) -> Tolerance:
    """Return the tolerance that counts on a business date: the last rule that began, else the usual one."""
    rules = ToleranceRule.objects.filter(source=source, kind=kind, valid_from__lte=day)
    rule = rules.order_by("-valid_from").first()
    return _UNLESS_SAID[kind] if rule is None else Tolerance(rule.absolute_minor, rule.basis_points)
