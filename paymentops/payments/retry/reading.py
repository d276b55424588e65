"""Reading policy files: every field is checked, and what is wrong is said with its place."""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from paymentops.payments.retry.policy import ANY, Action, Budget, Decision, NewAttempt, Policy, SameKey, SchemeCap
from paymentops.providers.contract import Operation, RetryClass

_MOST: Final = 100_000_000
_NEVER_AGAIN: Final = (RetryClass.HARD_DECLINE, RetryClass.RISK_BLOCK, RetryClass.PROVIDER_GUARD)
# These are facts of the transport; no code of a provider can mean them.
_NOT_BY_CODE: Final = (RetryClass.NOT_SENT, RetryClass.THROTTLED, RetryClass.UNKNOWN)
_MACHINES: Final = (NewAttempt.YES, NewAttempt.IF_CAPABILITY_DIFFERS)


class UnreadablePolicy(ValueError):
    """A policy file breaks its schema or a rule that no policy may change."""


def read(path: Path) -> Policy:
    """Read one policy file, named after its version.

    Raises:
        UnreadablePolicy: it is no TOML, lacks something, says something unknown, or would allow what is never allowed.
    """
    content = path.read_bytes()
    try:
        policy = parse(content)
    except UnreadablePolicy as error:
        raise UnreadablePolicy(f"{path.name}: {error}") from error
    if path.stem != policy.version:
        raise UnreadablePolicy(f"{path.name}: version is {policy.version!r}; the file must be named after it.")
    return policy


def parse(content: bytes) -> Policy:
    """Read the bytes of a policy file. Raises as ``read`` does."""
    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadablePolicy(f"not TOML: {error}") from error
    top = _Table(document, "the file")
    request, delay = top.table("request"), top.table("delay")
    base, cap = delay.seconds("base_seconds"), delay.seconds("cap_seconds")
    policy = Policy(
        version=top.text("version"),
        base=base,
        cap=cap,
        floor=delay.seconds("floor_seconds"),
        tries=request.whole("tries", least=1),
        sends=request.whole("sends", least=1),
        deferrals=request.whole("deferrals", least=0),
        failover_after=request.whole("failover_after", least=0),
        deadline=request.seconds("deadline_seconds") if request.has("deadline_seconds") else None,
        actions=_actions(top.table("classes"), base=base, cap=cap),
        decisions=_decisions(top.tables("decisions")),
        budget=_budget(top.table("budget")) if top.has("budget") else None,
        scheme_caps=_scheme_caps(top.tables("scheme_caps")),
        digest=sha256(content).hexdigest(),
    )
    for table in (top, request, delay):
        table.require_nothing_else()
    return policy


def _actions(table: "_Table", *, base: timedelta, cap: timedelta) -> Mapping[RetryClass, Action]:
    actions = {retry_class: _action(table.table(retry_class), retry_class, base, cap) for retry_class in RetryClass}
    table.require_nothing_else()
    return actions


def _action(table: "_Table", retry_class: RetryClass, base: timedelta, cap: timedelta) -> Action:
    action = Action(
        same_key=table.one_of("same_key", SameKey),
        same_provider=table.one_of("same_provider", NewAttempt),
        other_provider=table.one_of("other_provider", NewAttempt),
        base=table.seconds("base_seconds") if table.has("base_seconds") else base,
        cap=table.seconds("cap_seconds") if table.has("cap_seconds") else cap,
    )
    table.require_nothing_else()
    by_machine = action.same_provider in _MACHINES or action.other_provider in _MACHINES
    if retry_class in _NEVER_AGAIN and (by_machine or action.same_key is not SameKey.NO):
        raise UnreadablePolicy(f"{table.place}: after {retry_class} nothing is ever tried again.")
    if retry_class is RetryClass.UNKNOWN and (by_machine or action.same_key is not SameKey.AFTER_INQUIRY):
        raise UnreadablePolicy(f"{table.place}: what may have happened is only sent again under the same key, asked.")
    if retry_class in (RetryClass.NOT_SENT, RetryClass.THROTTLED) and action.same_key is not SameKey.LATER:
        raise UnreadablePolicy(f'{table.place}: what did not leave is sent later under the same key; say "later".')
    if retry_class not in _NOT_BY_CODE and action.same_key is not SameKey.NO:
        raise UnreadablePolicy(f'{table.place}: after a definitive no the same key brings the same no; say "no".')
    if action.same_provider is NewAttempt.IF_CAPABILITY_DIFFERS:
        raise UnreadablePolicy(f"{table.place}: a provider's capability does not differ from its own.")
    return action


def _decisions(tables: list["_Table"]) -> tuple[Decision, ...]:
    decisions = tuple(_decision(table) for table in tables)
    rules = [decision.rule for decision in decisions]
    twice = sorted({rule for rule in rules if rules.count(rule) > 1})
    if twice:
        raise UnreadablePolicy(f"decisions: {', '.join(twice)} stands there more than once.")
    return decisions


def _decision(table: "_Table") -> Decision:
    operation = table.text("operation")
    if operation != ANY and operation not in Operation:
        raise UnreadablePolicy(f"{table.place}.operation: {operation!r} is none of {', '.join(Operation)} or *.")
    decision = Decision(
        provider=table.text("provider"),
        operation=operation,
        code=table.text("code"),
        retry_class=table.one_of("class", RetryClass),
    )
    table.require_nothing_else()
    if decision.retry_class in _NOT_BY_CODE:
        raise UnreadablePolicy(f"{table.place}.class: {decision.retry_class} is no meaning of a provider's code.")
    return decision


def _budget(table: "_Table") -> Budget:
    budget = Budget(
        share_basis_points=table.whole("share_basis_points", least=0),
        free=table.whole("free", least=0),
        window=table.seconds("window_seconds"),
        wait=table.seconds("wait_seconds"),
    )
    table.require_nothing_else()
    return budget


def _scheme_caps(tables: list["_Table"]) -> tuple[SchemeCap, ...]:
    caps = []
    for table in tables:
        caps.append(
            SchemeCap(
                scheme=table.text("scheme"),
                tries=table.whole("tries", least=1),
                window=timedelta(hours=table.whole("window_hours", least=1)),
                effective_from=table.day("effective_from"),
            )
        )
        table.require_nothing_else()
    return tuple(caps)


class _Table:
    """A table of the file that knows its place and which of its names were read."""

    def __init__(self, values: Any, place: str) -> None:
        if not isinstance(values, dict):
            raise UnreadablePolicy(f"{place} must be a table.")
        self.place = place
        self._values = values
        self._read: set[str] = set()

    def has(self, name: str) -> bool:
        return name in self._values

    def table(self, name: str) -> "_Table":
        return _Table(self._get(name), name if self.place == "the file" else f"{self.place}.{name}")

    def tables(self, name: str) -> list["_Table"]:
        values = self._get(name) if self.has(name) else []
        if not isinstance(values, list):
            raise UnreadablePolicy(f"{name} must be a list of tables.")
        return [_Table(value, f"{name}[{position}]") for position, value in enumerate(values)]

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= 80:
            raise UnreadablePolicy(f"{self.place}.{name} must be text of 1 to 80 characters.")
        return value

    def whole(self, name: str, *, least: int) -> int:
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
            raise UnreadablePolicy(f"{self.place}.{name} must be a whole number of at least {least}.")
        return value

    def seconds(self, name: str) -> timedelta:
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MOST:
            raise UnreadablePolicy(f"{self.place}.{name} must be a number of seconds above 0.")
        return timedelta(seconds=value)

    def day(self, name: str) -> date:
        value = self._get(name)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise UnreadablePolicy(f"{self.place}.{name} must be a day such as 2026-01-31, without quotes.")
        return value

    def one_of[E: StrEnum](self, name: str, kind: type[E]) -> E:
        value = self.text(name)
        if value not in kind:
            raise UnreadablePolicy(f"{self.place}.{name}: {value!r} is none of {', '.join(kind)}.")
        return kind(value)

    def require_nothing_else(self) -> None:
        unknown = sorted(set(self._values) - self._read)
        if unknown:
            raise UnreadablePolicy(f"{self.place} knows nothing named {', '.join(unknown)}.")

    def _get(self, name: str) -> Any:
        if name not in self._values:
            raise UnreadablePolicy(f"{self.place} lacks {name}.")
        self._read.add(name)
        return self._values[name]
