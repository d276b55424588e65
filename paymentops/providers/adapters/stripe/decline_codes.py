"""What Stripe's decline codes mean for further tries.

Source: https://docs.stripe.com/declines/codes and https://docs.stripe.com/error-codes, read in 2025.
"""

from types import MappingProxyType
from typing import Final

from paymentops.providers.contract import RetryClass

CHARGE_DECLINES: Final = MappingProxyType(
    {
        "approve_with_id": RetryClass.SOFT_DECLINE,
        "call_issuer": RetryClass.SOFT_DECLINE,
        "card_declined": RetryClass.SOFT_DECLINE,
        "card_velocity_exceeded": RetryClass.SOFT_DECLINE,
        "do_not_honor": RetryClass.SOFT_DECLINE,
        "do_not_try_again_today": RetryClass.SOFT_DECLINE,
        "generic_decline": RetryClass.SOFT_DECLINE,
        "insufficient_funds": RetryClass.SOFT_DECLINE,
        "issuer_not_available": RetryClass.SOFT_DECLINE,
        "no_action_taken": RetryClass.SOFT_DECLINE,
        "not_permitted": RetryClass.SOFT_DECLINE,
        "processing_error": RetryClass.SOFT_DECLINE,
        "reenter_transaction": RetryClass.SOFT_DECLINE,
        "service_not_allowed": RetryClass.SOFT_DECLINE,
        "transaction_not_allowed": RetryClass.SOFT_DECLINE,
        "try_again_later": RetryClass.SOFT_DECLINE,
        "withdrawal_count_limit_exceeded": RetryClass.SOFT_DECLINE,
        "expired_card": RetryClass.DATA_DECLINE,
        "incorrect_address": RetryClass.DATA_DECLINE,
        "incorrect_cvc": RetryClass.DATA_DECLINE,
        "incorrect_number": RetryClass.DATA_DECLINE,
        "incorrect_pin": RetryClass.DATA_DECLINE,
        "incorrect_zip": RetryClass.DATA_DECLINE,
        "invalid_cvc": RetryClass.DATA_DECLINE,
        "invalid_expiry_month": RetryClass.DATA_DECLINE,
        "invalid_expiry_year": RetryClass.DATA_DECLINE,
        "invalid_number": RetryClass.DATA_DECLINE,
        "invalid_pin": RetryClass.DATA_DECLINE,
        "new_account_information_available": RetryClass.DATA_DECLINE,
        "authentication_not_handled": RetryClass.AUTH_REQUIRED,
        "authentication_required": RetryClass.AUTH_REQUIRED,
        "offline_pin_required": RetryClass.AUTH_REQUIRED,
        "online_or_offline_pin_required": RetryClass.AUTH_REQUIRED,
        "payment_intent_authentication_failure": RetryClass.AUTH_REQUIRED,
        "card_not_supported": RetryClass.HARD_DECLINE,
        "do_not_try_again": RetryClass.HARD_DECLINE,
        "invalid_account": RetryClass.HARD_DECLINE,
        "lost_card": RetryClass.HARD_DECLINE,
        "pickup_card": RetryClass.HARD_DECLINE,
        "pin_try_exceeded": RetryClass.HARD_DECLINE,
        "restricted_card": RetryClass.HARD_DECLINE,
        "revocation_of_all_authorizations": RetryClass.HARD_DECLINE,
        "revocation_of_authorization": RetryClass.HARD_DECLINE,
        "security_violation": RetryClass.HARD_DECLINE,
        "stolen_card": RetryClass.HARD_DECLINE,
        "stop_payment_order": RetryClass.HARD_DECLINE,
        "fraudulent": RetryClass.RISK_BLOCK,
        "highest_risk_level": RetryClass.RISK_BLOCK,
        "merchant_blacklist": RetryClass.RISK_BLOCK,
        "currency_not_supported": RetryClass.INVALID,
        "invalid_amount": RetryClass.INVALID,
        "testmode_decline": RetryClass.INVALID,
        "live_mode_test_card": RetryClass.INVALID,
        "duplicate_transaction": RetryClass.PROVIDER_GUARD,
    }
)
REFUND_FAILURES: Final = MappingProxyType(
    {
        "charge_for_pending_refund_disputed": RetryClass.PROVIDER_GUARD,
        "declined": RetryClass.SOFT_DECLINE,
        "expired_or_canceled_card": RetryClass.HARD_DECLINE,
        "insufficient_funds": RetryClass.SOFT_DECLINE,
        "lost_or_stolen_card": RetryClass.HARD_DECLINE,
        "merchant_request": RetryClass.HARD_DECLINE,
        "unknown": RetryClass.SOFT_DECLINE,
    }
)
# A code nobody has seen yet is still a no; without knowing why, we do not try again.
UNLISTED: Final = RetryClass.HARD_DECLINE
# Refusals that tell of the state another request brought about, perhaps our own earlier one: an inquiry decides.
STATE_CONFLICTS: Final = frozenset(
    {
        "charge_already_captured",
        "charge_already_refunded",
        "charge_expired_for_capture",
        "idempotency_key_in_use",
        "lock_timeout",
        "payment_intent_unexpected_state",
    }
)
