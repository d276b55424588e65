"""The route table: which providers may get which payments, in which order and share. Data, with a version.

``PAYMENTOPS_ROUTES_FILE`` names a TOML file. It is read when a process starts, and a mistake in it stops the process
there; every payment notes the version it was routed by. ``docs/operating.md`` shows one.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from paymentops.core import currencies
from paymentops.core.money import Money
from paymentops.providers import registry
from paymentops.providers.contract import Method

_BUILT_IN: Final = "built-in"
_LONGEST_VERSION: Final = 40
_OF_A_ROUTE: Final = frozenset({"provider", "methods", "currencies", "priority", "weight"})
_OF_A_LIMIT: Final = frozenset({"provider", "currency", "least", "most"})
_OF_THE_TABLE: Final = frozenset({"version", "routes", "limits"})


class BadRoutes(ImproperlyConfigured):
    """The route table cannot be used; the sentence names the place and what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Gives a provider the payments of some methods and currencies; ``None`` stands for all that it takes.

    Among the rules that fit, a lower ``priority`` goes first; rules of one priority share by ``weight``.
    """

    provider: str
    methods: frozenset[Method] | None = None
    currencies: frozenset[str] | None = None
    priority: int = 1
    weight: int = 1

    def fits(self, method: Method, currency: str) -> bool:
        """Tell whether the rule speaks of such payments."""
        return (self.methods is None or method in self.methods) and (
            self.currencies is None or currency in self.currencies
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a provider may be given in one currency, in minor units; ``None`` stands for no limit."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """One version of the table. Of several rules for one provider the first that fits counts."""

    version: str
    rules: tuple[Rule, ...]
    limits: Mapping[tuple[str, str], Limit] = field(default_factory=dict)

    def rule_for(self, *, provider: str, method: Method, currency: str) -> Rule | None:
        """Return the rule that gives the provider such payments, if one does."""
        return next((rule for rule in self.rules if rule.provider == provider and rule.fits(method, currency)), None)

    def refusal_of(self, *, provider: str, amount: Money) -> str:
        """Say why an amount is outside the provider's limits; empty when it is inside."""
        limit = self.limits.get((provider, amount.currency), Limit())
        if limit.least is not None and amount.minor < limit.least:
            return f"takes {Money(limit.least, amount.currency)} at least"
        if limit.most is not None and amount.minor > limit.most:
            return f"takes {Money(limit.most, amount.currency)} at most"
        return ""


def current() -> RouteTable:
    """Return the table of this installation: its file's, or without one the default provider and then all by name."""
    if settings.ROUTES_FILE:
        return _read(settings.ROUTES_FILE)
    return built_in(preferred=settings.DEFAULT_PROVIDER, names=registry.names())


def built_in(*, preferred: str, names: Collection[str]) -> RouteTable:
    """Return the table without a file: the preferred provider, then the others one after the other by name."""
    ordered = [*([preferred] if preferred else []), *sorted(set(names) - {preferred})]
    return RouteTable(
        version=_BUILT_IN,
        rules=tuple(Rule(provider=name, priority=n) for n, name in enumerate(ordered, start=1)),
    )


def check() -> None:
    """Read the file of this installation, if it has one.

    Raises:
        BadRoutes: it cannot be read or used.
    """
    if settings.ROUTES_FILE:
        _read(settings.ROUTES_FILE)


@cache
def _read(path: str) -> RouteTable:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRoutes(f"PAYMENTOPS_ROUTES_FILE names {path}, which cannot be read: {error}.") from error
    try:
        return parse(text=text, known=registry.known())
    except BadRoutes as error:
        raise BadRoutes(f"The route table {path} cannot be used: {error}") from error


def parse(*, text: str, known: Collection[str]) -> RouteTable:
    """Read a table from TOML; ``known`` are the names of all adapters, with credentials here or without.

    Raises:
        BadRoutes: it is not TOML, or says something that cannot be; the sentence names the place.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRoutes(f"it is not TOML: {error}.") from error
    _only("the table", given, _OF_THE_TABLE)
    version = given.get("version")
    if not isinstance(version, str) or not 0 < len(version) <= _LONGEST_VERSION or version == _BUILT_IN:
        raise BadRoutes(f'version must be a text of 1 to {_LONGEST_VERSION} characters, such as "2026-11-01".')
    rules = tuple(_rule(f"route {n}", one, known) for n, one in enumerate(_tables(given, "routes"), start=1))
    if not rules:
        raise BadRoutes("it has no [[routes]]; without any, no payment could be taken.")
    limits: dict[tuple[str, str], Limit] = {}
    for n, one in enumerate(_tables(given, "limits"), start=1):
        key, limit = _limit(f"limit {n}", one, known)
        if key in limits:
            raise BadRoutes(f"limit {n}: {key[0]} has a limit in {key[1]} already.")
        limits[key] = limit
    return RouteTable(version=version, rules=rules, limits=limits)


def _rule(place: str, given: Mapping[str, Any], known: Collection[str]) -> Rule:
    _only(place, given, _OF_A_ROUTE)
    methods = _texts(place, given, "methods")
    possible = [method.value for method in Method]
    if unknown := sorted(set(methods or ()) - set(possible)):
        raise BadRoutes(f"{place}: there is no method {unknown[0]!r}; use {', '.join(possible)}.")
    return Rule(
        provider=_provider(place, given, known),
        methods=None if methods is None else frozenset(map(Method, methods)),
        currencies=_currencies(place, given),
        priority=_whole(place, given, "priority", 1) or 1,
        weight=_whole(place, given, "weight", 1) or 1,
    )


def _limit(place: str, given: Mapping[str, Any], known: Collection[str]) -> tuple[tuple[str, str], Limit]:
    _only(place, given, _OF_A_LIMIT)
    currency = given.get("currency")
    if not isinstance(currency, str) or not currencies.is_known(currency):
        raise BadRoutes(f"{place}: currency must be an ISO 4217 code, not {currency!r}.")
    limit = Limit(least=_whole(place, given, "least", None), most=_whole(place, given, "most", None))
    if limit.least is None and limit.most is None:
        raise BadRoutes(f"{place}: say least or most, in minor units.")
    if limit.least is not None and limit.most is not None and limit.least > limit.most:
        raise BadRoutes(f"{place}: least {limit.least} is more than most {limit.most}.")
    return (_provider(place, given, known), currency), limit


def _provider(place: str, given: Mapping[str, Any], known: Collection[str]) -> str:
    name = given.get("provider")
    if not isinstance(name, str) or name not in known:
        raise BadRoutes(f"{place}: there is no provider {name!r}; known are {', '.join(sorted(known))}.")
    return name


def _currencies(place: str, given: Mapping[str, Any]) -> frozenset[str] | None:
    codes = _texts(place, given, "currencies")
    if unknown := sorted(code for code in codes or () if not currencies.is_known(code)):
        raise BadRoutes(f"{place}: {unknown[0]!r} is not an ISO 4217 code.")
    return None if codes is None else frozenset(codes)


def _texts(place: str, given: Mapping[str, Any], name: str) -> list[str] | None:
    texts = given.get(name)
    if texts is None:
        return None
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRoutes(f"{place}: {name} must be a list of texts with at least one; leave it out for all.")
    return texts


def _whole(place: str, given: Mapping[str, Any], name: str, default: int | None) -> int | None:
    number = given.get(name, default)
    # TOML's true is Python's True, which is an int.
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
        raise BadRoutes(f"{place}: {name} must be a whole number from 1, not {number!r}.")
    return number


def _tables(given: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    tables = given.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BadRoutes(f"write {name} as [[{name}]] tables.")
    return tables


def _only(place: str, given: Mapping[str, Any], names: frozenset[str]) -> None:
    if unknown := sorted(set(given) - names):
        raise BadRoutes(f"{place}: {unknown[0]!r} means nothing there; use {', '.join(sorted(names))}.")
