"""Which provider takes a payment: pure, so that the same inputs give the same order and the same reasons.

Eligible is who takes the method, the currency, the amount and the kind of capture, and is given such payments by the
route table. Among those a lower priority goes first; providers of one priority share by weight, by a hash of the
payment's id (weighted rendezvous: when a weight changes, only payments that must move do).
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from paymentops.payments.routes import RouteTable, Rule
from paymentops.providers.contract import Capabilities, Method


class NoRoute(ApplicationError):
    """No provider can take this payment; nothing was accepted and the key is still free."""

    code = "payment.no_route"
    status = 422
    title = "No provider can take this payment"


@dataclass(frozen=True, slots=True)
class Route:
    """The chosen provider and why."""

    provider: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a payment needs: how the payer pays, how much, and whether it is held before it is captured."""

    method: Method
    amount: Money
    hold: bool

    def __str__(self) -> str:
        return f"{self.amount} by {self.method.value}{', held and captured later' if self.hold else ''}"

    def refusal_by(self, capabilities: Capabilities) -> str:
        """Say why a provider that declares this cannot take it; empty when it can."""
        if self.method not in capabilities.methods:
            return f"takes no {self.method.value}"
        if capabilities.currencies is not None and self.amount.currency not in capabilities.currencies:
            return f"takes no {self.amount.currency}"
        if self.hold and not capabilities.can_hold:
            return "cannot hold an amount and capture it later"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Among what is chosen.

    Args:
        table: the route table.
        providers: what each provider with credentials here declares, by name.
        held_back: providers that go after all others, with the reason: an open breaker. They stay eligible.
        passed_over: providers that must not be chosen, with the reason: tried already.
    """

    table: RouteTable
    providers: Mapping[str, Capabilities]
    held_back: Mapping[str, str] = field(default_factory=dict)
    passed_over: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One provider and what speaks against it: ``excluded`` for good, ``held_back`` while another can."""

    provider: str
    excluded: str = ""
    held_back: str = ""
    priority: int = 0
    weight: int = 0


def candidates(*, wish: Wish, payment_id: UUID, options: Options) -> list[Candidate]:
    """Return every provider there is: the eligible in the order in which they are to be tried, then the excluded.

    The same payment, table, providers and breakers give the same order, in every process and on every machine.
    """
    names = sorted(set(options.providers) | {rule.provider for rule in options.table.rules})
    found = [_candidate(name, wish, options) for name in names]
    eligible = [one for one in found if not one.excluded]
    eligible.sort(
        key=lambda one: (bool(one.held_back), one.priority, draw(payment_id, one.provider, one.weight), one.provider)
    )
    return eligible + [one for one in found if one.excluded]


def draw(payment_id: UUID, provider: str, weight: int) -> float:
    """Return a provider's lot for one payment; the lowest goes first, in proportion to the weights.

    The lot is exponentially distributed with the weight as its rate: of two, the one with weight w goes first in
    w / (w + v) of all payments (Efraimidis and Spirakis, weighted random sampling, 2006).
    """
    digest = hashlib.sha256(payment_id.bytes + provider.encode()).digest()
    fraction = (int.from_bytes(digest[:7], "big") + 1) / (2**56 + 1)
    return -math.log(fraction) / weight


def choose(*, wanted: str, wish: Wish, payment_id: UUID, options: Options) -> Route:
    """Choose a provider: the one asked for, else the first candidate.

    One that is asked for needs no rule of the table, but must be able to take the payment within its limits.

    Raises:
        NoRoute: the provider asked for is unknown or cannot take it, or none can; ``extra["excluded"]`` gives the
            reason for each, ``extra["possible"]`` what each takes.
    """
    found = candidates(wish=wish, payment_id=payment_id, options=options)
    if wanted:
        return _asked_for(wanted, wish, options, found)
    if found and not found[0].excluded:
        return Route(found[0].provider, _reason(found))
    raise NoRoute(
        f"No configured provider takes {wish}.",
        extra={"excluded": _excluded(found), "possible": _possible(options.providers)},
    )


def _candidate(name: str, wish: Wish, options: Options) -> Candidate:
    capabilities = options.providers.get(name)
    if capabilities is None:
        return Candidate(provider=name, excluded="has no credentials here")
    rule = options.table.rule_for(provider=name, method=wish.method, currency=wish.amount.currency)
    refusal = options.passed_over.get(name, "") or _refusal(name, capabilities, wish, options)
    if rule is None or refusal:
        return Candidate(provider=name, excluded=refusal or _not_routed(options.table, wish))
    return _eligible(rule, options)


def _eligible(rule: Rule, options: Options) -> Candidate:
    return Candidate(
        provider=rule.provider,
        held_back=options.held_back.get(rule.provider, ""),
        priority=rule.priority,
        weight=rule.weight,
    )


def _refusal(name: str, capabilities: Capabilities, wish: Wish, options: Options) -> str:
    return wish.refusal_by(capabilities) or options.table.refusal_of(provider=name, amount=wish.amount)


def _not_routed(table: RouteTable, wish: Wish) -> str:
    return f"is given no {wish.method.value} in {wish.amount.currency} by the route table {table.version}"


def _reason(found: Sequence[Candidate]) -> str:
    """Say in one line why the first candidate is the first."""
    first = found[0]
    eligible = [one for one in found if not one.excluded]
    peers = [one for one in eligible if one.priority == first.priority and bool(one.held_back) == bool(first.held_back)]
    reason = f"priority {first.priority}" if len(eligible) > 1 else "the only one that can take it"
    if len(peers) > 1:
        reason += f", drawn by weight {first.weight} of {sum(one.weight for one in peers)}"
    # Whoever would have been tried before, had nothing held it back.
    behind = [one for one in eligible if one.held_back and one.priority <= first.priority and not first.held_back]
    for one in behind:
        reason += f"; {one.provider} held back: {one.held_back}"
    return f"{reason}; held back too: {first.held_back}" if first.held_back else reason


def _asked_for(wanted: str, wish: Wish, options: Options, found: Sequence[Candidate]) -> Route:
    capabilities = options.providers.get(wanted)
    if capabilities is None:
        raise NoRoute(
            f"There is no provider {wanted!r}; configured: {', '.join(sorted(options.providers))}.",
            extra={"excluded": _excluded(found), "possible": _possible(options.providers)},
        )
    if refusal := _refusal(wanted, capabilities, wish, options):
        able = [one.provider for one in found if not one.excluded]
        others = f"{' or '.join(able)} would" if able else "no other would either"
        raise NoRoute(
            f"{wanted} {refusal}, so not {wish}; {others}.",
            extra={
                "excluded": [{"provider": wanted, "reason": refusal}],
                "possible": _possible({wanted: capabilities}),
            },
        )
    return Route(wanted, "asked for")


def _excluded(found: Sequence[Candidate]) -> list[dict[str, str]]:
    return [{"provider": one.provider, "reason": one.excluded} for one in found if one.excluded]


def _possible(providers: Mapping[str, Capabilities]) -> list[dict[str, Any]]:
    """Say what providers take; ``currencies`` is ``None`` for all that we know."""
    return [
        {
            "provider": name,
            "methods": sorted(method.value for method in capabilities.methods),
            "currencies": None if capabilities.currencies is None else sorted(capabilities.currencies),
            "capture": ["automatic", "manual"] if capabilities.can_hold else ["automatic"],
        }
        for name, capabilities in sorted(providers.items())
    ]
