"""What happens to the orders of the demo: how each kind goes, and how often. Pure data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from paymentops.payments.states import CaptureMode
from paymentops.providers.contract import Method

_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
# A hold of the sandbox lapses after seven days; the sweep comes by within seconds.
_LAPSE: Final = 7 * _DAY + 10 * _SECOND

HOLDABLE: Final = (Method.CARD,)


class Act(StrEnum):
    """One thing that somebody does in the demo."""

    CREATE = "create"
    REPEAT = "repeat"
    REUSE_KEY = "reuse key"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    CONFIRM = "confirm"
    ABANDON = "abandon"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """What follows an order.

    Args:
        act: what is done.
        soonest: after the order, at the earliest.
        latest: after the order, at the latest.
        percent: of the order's amount; 0 means all that is left.
    """

    act: Act
    soonest: timedelta
    latest: timedelta
    percent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of order.

    Args:
        name: for people and tests.
        weight: how often it happens, relative to the others.
        token: the sandbox's payment token, which decides what the provider does.
        capture: whether money is taken at once.
        methods: how the payer may pay.
        follows: what is done afterwards, in order.
    """

    name: str
    weight: int
    token: str = "tok_approved"  # noqa: S105 - it chooses how the sandbox behaves
    capture: CaptureMode = CaptureMode.AUTOMATIC
    methods: tuple[Method, ...] = tuple(Method)
    follows: tuple[Follow, ...] = ()

    @property
    def room(self) -> timedelta:
        """How long before the end of the story the order must have come for all that follows to happen."""
        return max((follow.soonest for follow in self.follows), default=timedelta())


def _sale(name: str, weight: int, token: str = "tok_approved", *follows: Follow) -> Scenario:  # noqa: S107
    return Scenario(name=name, weight=weight, token=token, follows=follows)


def _card(name: str, weight: int, token: str, *follows: Follow) -> Scenario:
    return Scenario(name=name, weight=weight, token=token, methods=HOLDABLE, follows=follows)


def _hold(name: str, weight: int, token: str, *follows: Follow) -> Scenario:
    return Scenario(
        name=name, weight=weight, token=token, capture=CaptureMode.MANUAL, methods=HOLDABLE, follows=follows
    )


def _after(act: Act, soonest: timedelta, latest: timedelta, percent: int = 0) -> Follow:
    return Follow(act=act, soonest=soonest, latest=latest, percent=percent)


_REFUND_ALL = _after(Act.REFUND, 4 * _HOUR, 6 * _DAY)
_REFUND_PART = _after(Act.REFUND, 4 * _HOUR, 6 * _DAY, 40)
_SHIP_ALL = _after(Act.CAPTURE, 3 * _HOUR, 3 * _DAY)

MIX: Final = (
    _sale("approved", 470),
    _sale("declined: insufficient funds", 50, "tok_declined_insufficient_funds"),
    _card("declined: limit", 14, "tok_declined_limit"),
    _sale("declined: issuer unavailable", 12, "tok_declined_issuer_unavailable"),
    _card("declined: lost card", 6, "tok_declined_lost_card"),
    _card("declined: expired card", 14, "tok_declined_expired_card"),
    _card("declined: security code", 16, "tok_declined_cvc"),
    _card("declined: authentication", 12, "tok_declined_authentication"),
    _sale("declined: fraud", 10, "tok_declined_fraud"),
    _sale("refused as invalid", 5, "tok_invalid"),
    _sale("timeout without effect", 12, "tok_timeout_before_effect"),
    _sale("timeout with effect", 14, "tok_timeout_after_effect"),
    _sale("timeout with effect, no webhook", 5, "tok_timeout_after_effect_no_webhook"),
    _sale("error without effect", 8, "tok_error_before_effect"),
    _sale("error with effect", 12, "tok_error_after_effect"),
    _sale("unreadable answer", 4, "tok_garbage_after_effect"),
    _sale("broken connection", 6, "tok_reset_after_effect"),
    _sale("undocumented status", 4, "tok_unknown_status"),
    _sale("rate limited", 9, "tok_rate_limited"),
    _sale("provider unavailable", 7, "tok_unavailable"),
    _sale("payer confirms", 26, "tok_requires_action", _after(Act.CONFIRM, 20 * _SECOND, 10 * _MINUTE)),
    _sale("payer gives up", 8, "tok_requires_action", _after(Act.ABANDON, 30 * _SECOND, 20 * _MINUTE)),
    Scenario(
        name="pending, then settled",
        weight=22,
        token="tok_pending",  # noqa: S106
        methods=(Method.BANK_TRANSFER, Method.PIX, Method.WALLET),
        follows=(_after(Act.CONFIRM, 2 * _MINUTE, 3 * _HOUR),),
    ),
    _card("approved in part", 12, "tok_partial_approval"),
    _hold("captured later", 40, "tok_approved", _SHIP_ALL),
    _hold(
        "captured in parts",
        22,
        "tok_approved",
        _after(Act.CAPTURE, 3 * _HOUR, _DAY, 50),
        _after(Act.CAPTURE, 30 * _HOUR, 4 * _DAY),
    ),
    _hold(
        "captured in part, the rest released",
        10,
        "tok_approved",
        _after(Act.CAPTURE, 3 * _HOUR, _DAY, 60),
        _after(Act.CANCEL, 30 * _HOUR, 4 * _DAY),
    ),
    _hold("capture without answer", 6, "tok_capture_timeout_after_effect", _SHIP_ALL),
    _hold(
        "capture declined",
        4,
        "tok_capture_declined",
        _after(Act.CAPTURE, 3 * _HOUR, _DAY),
        _after(Act.CANCEL, 30 * _HOUR, 3 * _DAY),
    ),
    _hold("released", 14, "tok_approved", _after(Act.CANCEL, _HOUR, 3 * _DAY)),
    _hold("release without answer", 4, "tok_void_timeout_after_effect", _after(Act.CANCEL, _HOUR, 3 * _DAY)),
    _sale("cancelled before it was sent", 8, "tok_approved", _after(Act.CANCEL, timedelta(), timedelta())),
    _hold(
        "cancelled while the outcome was unknown",
        4,
        "tok_timeout_after_effect_no_webhook",
        # After the call gave up (3 s) and before the first inquiry (5 s later).
        _after(Act.CANCEL, 5 * _SECOND, 5 * _SECOND),
    ),
    _hold("hold lapsed", 6, "tok_approved", _after(Act.SWEEP, _LAPSE, _LAPSE)),
    _sale("refunded", 40, "tok_approved", _REFUND_ALL),
    _sale("refunded in part", 32, "tok_approved", _REFUND_PART),
    _sale(
        "refunded in two parts",
        8,
        "tok_approved",
        _after(Act.REFUND, 4 * _HOUR, _DAY, 30),
        _after(Act.REFUND, 30 * _HOUR, 6 * _DAY, 25),
    ),
    _sale("refund declined", 7, "tok_refund_declined", _REFUND_ALL),
    _sale("refund without answer, not paid", 4, "tok_refund_timeout_before_effect", _REFUND_ALL),
    _sale("refund without answer, paid", 5, "tok_refund_timeout_after_effect", _REFUND_PART),
    _sale(
        "refund pending, then paid",
        5,
        "tok_refund_pending",
        _after(Act.REFUND, 4 * _HOUR, 3 * _DAY),
        _after(Act.CONFIRM, 80 * _HOUR, 4 * _DAY),
    ),
    _sale("sent twice", 16, "tok_approved", _after(Act.REPEAT, 2 * _SECOND, 2 * _MINUTE)),
    _sale("key reused for another order", 8, "tok_approved", _after(Act.REUSE_KEY, 30 * _SECOND, 10 * _MINUTE)),
    _sale("webhook twice", 10, "tok_webhook_doubled"),
    _sale("webhook late", 8, "tok_webhook_late"),
    _sale("no webhook", 6, "tok_webhook_never"),
)


@dataclass(frozen=True, slots=True)
class Lasting:
    """An order that is still open at the end of the story, and how long before it the order came."""

    scenario: Scenario
    before_end: timedelta


# Inquiries go unanswered for the last part of the story, so that what timed out in it stays unknown until the next one.
SILENCE: Final = 85 * _MINUTE

LASTING: Final = (
    Lasting(_hold("waits for its capture", 0, "tok_approved"), 27 * _HOUR),
    Lasting(_sale("outcome unknown, not charged", 0, "tok_timeout_before_effect"), 80 * _MINUTE),
    Lasting(_sale("payer has not confirmed", 0, "tok_requires_action"), 12 * _MINUTE),
    Lasting(
        Scenario(
            name="pending",
            weight=0,
            token="tok_pending",  # noqa: S106
            methods=(Method.BANK_TRANSFER, Method.PIX, Method.WALLET),
        ),
        25 * _MINUTE,
    ),
    Lasting(_hold("waits for its capture too", 0, "tok_approved"), 5 * _HOUR),
    Lasting(
        _hold("waits for the rest of its capture", 0, "tok_approved", _after(Act.CAPTURE, 5 * _HOUR, 9 * _HOUR, 50)),
        50 * _HOUR,
    ),
    Lasting(_sale("outcome unknown, charged", 0, "tok_timeout_after_effect_no_webhook"), 76 * _MINUTE),
)


def quotas(*, scenarios: Sequence[Scenario], total: int) -> list[int]:
    """Share ``total`` orders out by weight, whole and without remainder (largest remainder method)."""
    weights = sum(scenario.weight for scenario in scenarios)
    exact = [scenario.weight * total / weights for scenario in scenarios]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(shares)), key=lambda n: (shares[n] - exact[n], n))
    for n in by_remainder[: total - sum(shares)]:
        shares[n] += 1
    return shares
