"""Declaring a source and changing what it declares; every change leaves its audit row."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time
from typing import Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.access.models import Team
from paymentops.core import currencies
from paymentops.core.errors import Conflict, InvalidInput
from reconciliation import queries
from reconciliation.formats import registry
from reconciliation.formats.options import Options
from reconciliation.models import Source, SourceKind, ToleranceKind, ToleranceRule

_MOST_DAYS: Final = 60
_WHOLE: Final = 10_000


class SourceNotUsable(InvalidInput):
    """What a source declares cannot be used; the sentence names what."""

    code = "reconciliation.source_not_usable"
    title = "The source cannot be declared like this"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDeclaration:
    """What a source declares; see ``models.Source`` for each field. ``owner`` is the name of a team."""

    title: str
    kind: str
    account: str
    format: str
    owner: str
    currencies: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    zone: str = "UTC"
    settlement_days: int = 2
    file_days: int = 1
    cut_off: time = time(0, 0)
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    holidays: tuple[date, ...] = ()
    items_target_bp: int = 9500
    items_target_days: int = 1
    value_target_bp: int = 9950
    value_target_days: int = 3
    is_active: bool = True

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Read a declaration from plain data, as it stands in a JSON file.

        Raises:
            SourceNotUsable: a field is unknown or missing, or a date or time cannot be read.
        """
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise SourceNotUsable(f"There is no field {unknown[0]!r}; there are {', '.join(sorted(known))}.")
        read: dict[str, Any] = dict(values)
        try:
            for name in ("currencies", "weekdays"):
                if name in read:
                    read[name] = tuple(read[name])
            if "holidays" in read:
                read["holidays"] = tuple(date.fromisoformat(day) for day in read["holidays"])
            if "cut_off" in read:
                read["cut_off"] = time.fromisoformat(read["cut_off"])
            return cls(**read)
        except (TypeError, ValueError) as error:
            raise SourceNotUsable(f"The declaration cannot be read: {error}") from error


@transaction.atomic
def create_source(declaration: SourceDeclaration, *, name: str, by: Actor, now: datetime) -> Source:
    """Make a source.

    Raises:
        SourceNotUsable: a value cannot be used.
        UnknownFormat: there is no such format.
        InvalidInput: the format's options or mapping cannot be used; ``extra["errors"]`` says what.
        Conflict: there is a source of that name.
    """
    if not 1 <= len(name) <= 60 or not name.isascii() or name != name.lower() or not name.replace("-", "a").isalnum():
        raise SourceNotUsable("A source's name has 1 to 60 small letters, digits and hyphens.")
    values = _checked(declaration)
    source, made = Source.objects.get_or_create(name=name, defaults={**values, "created_at": now})
    if not made:
        raise Conflict(f"There is a source {name!r} already; change it instead.")
    _audit("source.create", source, before={}, after=_plain(source), by=by, reason="", now=now)
    return source


@transaction.atomic
def change_source(declaration: SourceDeclaration, *, name: str, by: Actor, reason: str, now: datetime) -> Source:
    """Declare a source anew; runs that began read on with what they began with. Locks the source.

    Raises:
        NotFound: there is no such source.
        SourceNotUsable, UnknownFormat, InvalidInput: as ``create_source``; also when no reason is given.
    """
    if not reason.strip():
        raise SourceNotUsable("Say why the source is changed.")
    values = _checked(declaration)
    source = queries.source(name, lock=True)
    before = _plain(source)
    for field_name, value in values.items():
        setattr(source, field_name, value)
    source.save(update_fields=list(values))
    after = _plain(source)
    changed = [key for key in after if after[key] != before[key]]
    _audit(
        "source.change",
        source,
        before={key: before[key] for key in changed},
        after={key: after[key] for key in changed},
        by=by,
        reason=reason.strip(),
        now=now,
    )
    return source


@transaction.atomic
def add_tolerance(
    *, source_name: str, kind: ToleranceKind, valid_from: date, absolute_minor: int, basis_points: int, by: Actor,
    now: datetime,
) -> ToleranceRule:  # fmt: skip
    """Say how far fees or exchanges may be off from a date on.

    Args:
        source_name: whose.
        kind: fee or foreign exchange.
        valid_from: the first business date for which it counts.
        absolute_minor: minor units of a line's currency.
        basis_points: of a line's gross amount; the larger of the two counts.
        by: who says so.
        now: when.

    Raises:
        NotFound: there is no such source.
        SourceNotUsable: a number is out of range.
        Conflict: there is a rule from that date already.
    """
    if absolute_minor < 0 or not 0 <= basis_points <= _WHOLE:
        raise SourceNotUsable("Give 0 or more minor units, and 0 to 10000 basis points.")
    source = queries.source(source_name)
    rule, made = ToleranceRule.objects.get_or_create(
        source=source,
        kind=kind,
        valid_from=valid_from,
        defaults={"absolute_minor": absolute_minor, "basis_points": basis_points, "created_at": now},
    )
    if not made:
        raise Conflict(f"There is a rule from {valid_from} on already; give a later date.")
    after = {"kind": kind, "from": str(valid_from), "minor": str(absolute_minor), "basis_points": basis_points}
    _audit("source.tolerance", source, before={}, after=after, by=by, reason="", now=now)
    return rule


def _checked(declaration: SourceDeclaration) -> dict[str, Any]:
    """Return a declaration's values as the model takes them."""
    registry.get(declaration.format)
    _require(bool(declaration.title.strip()) and bool(declaration.account.strip()), "Give a title and an account.")
    _require(declaration.kind in SourceKind.values, f"The kind is one of {', '.join(SourceKind.values)}.")
    unknown = [code for code in declaration.currencies if not currencies.is_known(code)]
    _require(not unknown and bool(declaration.currencies), "Give its currencies as active ISO 4217 codes.")
    weekdays = set(declaration.weekdays)
    _require(bool(weekdays) and weekdays <= set(range(7)), "Give its business days of the week, Monday is 0.")
    days = (declaration.settlement_days, declaration.file_days)
    _require(all(0 <= number <= _MOST_DAYS for number in days), f"Days are 0 to {_MOST_DAYS}.")
    targets = (declaration.items_target_bp, declaration.value_target_bp)
    _require(all(0 <= number <= _WHOLE for number in targets), "Targets are 0 to 10000 basis points.")
    _require("zone" not in declaration.options, "Give the zone beside the options, not among them.")
    try:
        ZoneInfo(declaration.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SourceNotUsable(f"{declaration.zone[:60]!r} is not a time zone.") from error
    options = Options.parse({**declaration.options, "zone": declaration.zone})
    _require(
        (options.mapping is not None) == (declaration.format == "csv"), "The csv format, and no other, takes a mapping."
    )
    owner = Team.objects.filter(name=declaration.owner, is_active=True).first()
    _require(owner is not None, f"There is no active team {declaration.owner[:80]!r}.")
    values = {one.name: getattr(declaration, one.name) for one in fields(declaration)}
    lists = {"currencies": sorted(set(declaration.currencies)), "weekdays": sorted(weekdays)}
    holidays = sorted(set(declaration.holidays))
    return values | lists | {"holidays": holidays, "owner": owner, "options": dict(declaration.options)}


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise SourceNotUsable(sentence)


def _plain(source: Source) -> dict[str, Any]:
    """Return what a source declares as JSON values, for the audit row."""
    values: dict[str, Any] = {one.name: getattr(source, one.name) for one in fields(SourceDeclaration)}
    values["owner"] = source.owner.name
    values["cut_off"] = source.cut_off.isoformat()
    values["holidays"] = [day.isoformat() for day in source.holidays]
    return values


def _audit(
    action: str,
    source: Source,
    *,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    by: Actor,
    reason: str,
    now: datetime,
) -> None:
    access.audit(
        action=action,
        actor=by,
        object_type="source",
        object_id=source.name,
        before=before,
        after=after,
        reason=reason,
        now=now,
    )
