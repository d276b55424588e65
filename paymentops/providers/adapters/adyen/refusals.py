"""What Adyen's refusal reasons mean for further tries.

An answer carries the reason's number, a notification its name. Sources: the refusal reasons at
https://docs.adyen.com/development-resources/refusal-reasons, read in 2026; the classes are ours.
"""

from types import MappingProxyType
from typing import Final, NamedTuple

from paymentops.providers.contract import RetryClass


class Reason(NamedTuple):
    """A reason by the name Adyen gives it, and its class."""

    name: str
    retry_class: RetryClass


REASONS: Final = MappingProxyType(
    {
        "2": Reason("Refused", RetryClass.SOFT_DECLINE),
        "3": Reason("Referral", RetryClass.SOFT_DECLINE),
        "4": Reason("Acquirer Error", RetryClass.SOFT_DECLINE),
        "5": Reason("Blocked Card", RetryClass.HARD_DECLINE),
        "6": Reason("Expired Card", RetryClass.DATA_DECLINE),
        "7": Reason("Invalid Amount", RetryClass.INVALID),
        "8": Reason("Invalid Card Number", RetryClass.DATA_DECLINE),
        "9": Reason("Issuer Unavailable", RetryClass.SOFT_DECLINE),
        "10": Reason("Not supported", RetryClass.INVALID),
        "11": Reason("3D Not Authenticated", RetryClass.AUTH_REQUIRED),
        "12": Reason("Not enough balance", RetryClass.SOFT_DECLINE),
        "14": Reason("Acquirer Fraud", RetryClass.RISK_BLOCK),
        "15": Reason("Cancelled", RetryClass.AUTH_REQUIRED),
        "16": Reason("Shopper Cancelled", RetryClass.AUTH_REQUIRED),
        "17": Reason("Invalid Pin", RetryClass.DATA_DECLINE),
        "18": Reason("Pin tries exceeded", RetryClass.HARD_DECLINE),
        "19": Reason("Pin validation not possible", RetryClass.SOFT_DECLINE),
        "20": Reason("FRAUD", RetryClass.RISK_BLOCK),
        "21": Reason("Not Submitted", RetryClass.SOFT_DECLINE),
        "22": Reason("FRAUD-CANCELLED", RetryClass.RISK_BLOCK),
        "23": Reason("Transaction Not Permitted", RetryClass.SOFT_DECLINE),
        "24": Reason("CVC Declined", RetryClass.DATA_DECLINE),
        "25": Reason("Restricted Card", RetryClass.HARD_DECLINE),
        "26": Reason("Revocation Of Auth", RetryClass.HARD_DECLINE),
        "27": Reason("Declined Non Generic", RetryClass.SOFT_DECLINE),
        "28": Reason("Withdrawal amount exceeded", RetryClass.SOFT_DECLINE),
        "29": Reason("Withdrawal count exceeded", RetryClass.SOFT_DECLINE),
        "31": Reason("Issuer Suspected Fraud", RetryClass.RISK_BLOCK),
        "32": Reason("AVS Declined", RetryClass.DATA_DECLINE),
        "33": Reason("Card requires online pin", RetryClass.AUTH_REQUIRED),
        "34": Reason("No checking account available on Card", RetryClass.HARD_DECLINE),
        "35": Reason("No savings account available on Card", RetryClass.HARD_DECLINE),
        "36": Reason("Mobile pin required", RetryClass.AUTH_REQUIRED),
        "37": Reason("Contactless fallback", RetryClass.AUTH_REQUIRED),
        "38": Reason("Authentication required", RetryClass.AUTH_REQUIRED),
        "39": Reason("RReq not received from DS", RetryClass.AUTH_REQUIRED),
        "40": Reason("Current AID is in Penalty Box.", RetryClass.SOFT_DECLINE),
        "41": Reason("CVM Required Restart Payment", RetryClass.AUTH_REQUIRED),
        "42": Reason("3DS Authentication Error", RetryClass.AUTH_REQUIRED),
        "46": Reason("Transaction blocked by Adyen to prevent excessive retry fees.", RetryClass.PROVIDER_GUARD),
        # Reasons of modifications come by name only.
        "insufficient_balance_on_payment": Reason("Insufficient balance on payment", RetryClass.INVALID),
    }
)
CLASSES: Final = MappingProxyType({code: reason.retry_class for code, reason in REASONS.items()})
# Nobody refused: the shopper called it off before anything was moved.
CALLED_OFF: Final = frozenset({"15", "16"})
_BY_NAME: Final = MappingProxyType({reason.name.lower(): code for code, reason in REASONS.items()})
# A reason nobody has seen yet is still a no; without knowing why, we do not try again.
UNLISTED: Final = RetryClass.HARD_DECLINE


def code_of(name: str) -> str:
    """Return a reason's code by its name, else the name itself in small letters with underscores."""
    return _BY_NAME.get(name.strip().lower(), name.strip().lower().replace(" ", "_")[:80] or "refused")


def class_of(code: str) -> RetryClass:
    """Return what a reason means for further tries."""
    reason = REASONS.get(code)
    return reason.retry_class if reason else UNLISTED
