"""Payment tokens of the sandbox: each one chooses how the sandbox behaves. One table, read by its server and docs.

A fault of the network strikes only the dispatch named in the table (the first, unless it says otherwise) of the
operation named, so that an inquiry or a resend under the same key can resolve it.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """What an operation at the sandbox does."""

    CHARGE = "charge"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    # These change a charge that waits; they are no operations of their own.
    COMPLETION = "completion"
    WITHDRAWAL = "withdrawal"


class Fault(StrEnum):
    """What goes wrong on the way, with or without the money having moved."""

    NONE = "none"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    LATE_EFFECT = "late_effect"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    GARBAGE = "garbage"
    RESET = "reset"
    SLOW = "slow"
    DRIP = "drip"
    UNKNOWN_STATUS = "unknown_status"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    KEY_IGNORED = "key_ignored"


class Decision(StrEnum):
    """What the sandbox decides about the money itself."""

    APPROVE = "approve"
    PARTIAL = "partial"
    DECLINE = "decline"
    INVALID = "invalid"
    ACTION = "action"
    REDIRECT = "redirect"
    CHALLENGE = "challenge"
    PENDING = "pending"


# What the payer must do first: visit a page that decides, or bring something back that does.
ASKS_THE_PAYER: Final = frozenset({Decision.ACTION, Decision.REDIRECT, Decision.CHALLENGE})


class Notice(StrEnum):
    """How the sandbox sends its notification of what happened."""

    NORMAL = "normal"
    EARLY = "early"
    LATE = "late"
    DOUBLED = "doubled"
    NEVER = "never"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True)
class Token:
    """One payment token.

    Args:
        name: what stands in ``payment_token``.
        description: one sentence for people who test against it.
        decision: what becomes of the money.
        code: the decline's code, where it declines.
        fault: what goes wrong on the way.
        strikes: the operation that fault or decline hits; what the payer must do is always asked of a charge.
        dispatch: which sending of one key the fault hits, counted from 1.
        notice: how notifications are sent.
        declines: how many charges of one reference are declined with ``code`` before the decision counts.
    """

    name: str
    description: str
    decision: Decision = Decision.APPROVE
    code: str = ""
    fault: Fault = Fault.NONE
    strikes: Kind = Kind.CHARGE
    dispatch: int = 1
    notice: Notice = Notice.NORMAL
    declines: int = 0


def _declined(name: str, code: str, description: str) -> Token:
    return Token(name, description, decision=Decision.DECLINE, code=code)


_ALL = (
    Token("tok_approved", "Approved."),
    _declined("tok_declined_insufficient_funds", "insufficient_funds", "Declined: not enough money; may work later."),
    _declined("tok_declined_limit", "limit_exceeded", "Declined: the card's limit is reached; may work later."),
    _declined("tok_declined_issuer_unavailable", "issuer_unavailable", "Declined: the bank does not answer."),
    _declined("tok_declined_lost_card", "lost_card", "Declined for good: the card is reported lost."),
    _declined("tok_declined_expired_card", "expired_card", "Declined: needs other card data."),
    _declined("tok_declined_cvc", "incorrect_cvc", "Declined: the security code is wrong; needs other card data."),
    _declined("tok_declined_authentication", "authentication_required", "Declined: only with the payer present."),
    _declined("tok_declined_fraud", "suspected_fraud", "Blocked as a risk; never try again."),
    Token(
        "tok_declined_once",
        "Declined the first time: not enough money; a second charge of the same reference is approved.",
        code="insufficient_funds",
        declines=1,
    ),
    Token("tok_partial_approval", "Approved for half of the amount.", decision=Decision.PARTIAL),
    Token("tok_invalid", "Refused as an invalid request (422).", decision=Decision.INVALID, code="unknown_token"),
    Token(
        "tok_requires_action",
        "The payer must visit the returned address; completing it there finishes the payment and sends a webhook.",
        decision=Decision.ACTION,
    ),
    Token(
        "tok_redirect",
        "The payer is sent to the returned address and comes back with a `result`; only resuming with it decides.",
        decision=Decision.REDIRECT,
    ),
    Token(
        "tok_challenge",
        "The payer must pass a challenge of their bank; only resuming with its `result` decides.",
        decision=Decision.CHALLENGE,
    ),
    Token(
        "tok_redirect_timeout_after_effect",
        "As `tok_redirect`; resuming gets no answer the first time, yet counts.",
        decision=Decision.REDIRECT,
        fault=Fault.TIMEOUT_AFTER,
        strikes=Kind.COMPLETION,
    ),
    Token(
        "tok_withdrawal_timeout_after_effect",
        "As `tok_requires_action`; a cancel gets no answer the first time, yet counts.",
        decision=Decision.ACTION,
        fault=Fault.TIMEOUT_AFTER,
        strikes=Kind.WITHDRAWAL,
    ),
    Token("tok_pending", "Pending; settles after a few seconds and sends a webhook.", decision=Decision.PENDING),
    Token("tok_slow", "Approved, answered slowly but in time.", fault=Fault.SLOW),
    Token("tok_timeout_before_effect", "No answer; nothing was charged.", fault=Fault.TIMEOUT_BEFORE),
    Token("tok_timeout_after_effect", "No answer, yet charged.", fault=Fault.TIMEOUT_AFTER),
    Token("tok_late_effect", "No answer; charged a moment after the call ended.", fault=Fault.LATE_EFFECT),
    Token("tok_error_before_effect", "Answers 500; nothing was charged.", fault=Fault.ERROR_BEFORE),
    Token("tok_error_after_effect", "Answers 500, yet charged.", fault=Fault.ERROR_AFTER),
    Token("tok_garbage_after_effect", "Answers an unreadable page, yet charged.", fault=Fault.GARBAGE),
    Token("tok_reset_after_effect", "The connection breaks in the middle of the answer; charged.", fault=Fault.RESET),
    Token(
        "tok_drip_after_effect", "The answer drips byte by byte, slower than anyone waits; charged.", fault=Fault.DRIP
    ),
    Token("tok_unknown_status", "Answers a status nobody documented; charged.", fault=Fault.UNKNOWN_STATUS),
    Token("tok_rate_limited", "Answers 429 with Retry-After; nothing was charged.", fault=Fault.RATE_LIMITED),
    Token("tok_unavailable", "Answers 503 marked as not executed.", fault=Fault.UNAVAILABLE),
    Token(
        "tok_key_ignored",
        "Charged; a second sending of the same key is charged again. Shows why nothing is resent blind.",
        fault=Fault.KEY_IGNORED,
        dispatch=2,
    ),
    Token(
        "tok_capture_timeout_after_effect",
        "Approved; its capture gets no answer, yet is taken.",
        fault=Fault.TIMEOUT_AFTER,
        strikes=Kind.CAPTURE,
    ),
    Token(
        "tok_capture_declined",
        "Approved; its captures are declined.",
        decision=Decision.DECLINE,
        code="capture_declined",
        strikes=Kind.CAPTURE,
    ),
    Token(
        "tok_void_timeout_after_effect",
        "Approved; its void gets no answer, yet is done.",
        fault=Fault.TIMEOUT_AFTER,
        strikes=Kind.VOID,
    ),
    Token(
        "tok_refund_timeout_before_effect",
        "Approved; its refund gets no answer and is not paid.",
        fault=Fault.TIMEOUT_BEFORE,
        strikes=Kind.REFUND,
    ),
    Token(
        "tok_refund_timeout_after_effect",
        "Approved; its refund gets no answer, yet is paid.",
        fault=Fault.TIMEOUT_AFTER,
        strikes=Kind.REFUND,
    ),
    Token(
        "tok_refund_declined",
        "Approved; its refunds are declined.",
        decision=Decision.DECLINE,
        code="refund_declined",
        strikes=Kind.REFUND,
    ),
    Token(
        "tok_refund_pending",
        "Approved; its refunds settle after a few seconds.",
        decision=Decision.PENDING,
        strikes=Kind.REFUND,
    ),
    Token("tok_webhook_early", "Approved; the webhook arrives before the answer.", notice=Notice.EARLY),
    Token("tok_webhook_late", "Approved; the webhook comes late.", notice=Notice.LATE),
    Token("tok_webhook_doubled", "Approved; every webhook comes twice.", notice=Notice.DOUBLED),
    Token("tok_webhook_never", "Approved; no webhook comes.", notice=Notice.NEVER),
    Token(
        "tok_timeout_after_effect_no_webhook",
        "No answer, yet charged, and no webhook: only an inquiry can tell.",
        fault=Fault.TIMEOUT_AFTER,
        notice=Notice.NEVER,
    ),
)

TOKENS: Final = MappingProxyType({token.name: token for token in _ALL})
