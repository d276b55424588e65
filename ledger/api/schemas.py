"""What the OpenAPI document says about answers; the answers themselves are built in ``ledger.api.bodies``."""

from typing import Any

from rest_framework import serializers

from ledger.chart import Kind, Side
from ledger.models import PeriodState, State
from paymentops.casework.models import ProposalState

_AMOUNT = "Minor units, debit positive."


class CheckSchema(serializers.Serializer[Any]):
    """Whether the stored balance was compared with the lines; while it drifted, amounts are computed from the lines."""

    state = serializers.ChoiceField(choices=["PASSED", "UNCHECKED", "DRIFTED", "UNSEALED"])
    checked_at = serializers.DateTimeField(allow_null=True)
    drifted_at = serializers.DateTimeField(allow_null=True)


class AmountsOnAccountSchema(serializers.Serializer[Any]):
    """What stands on an account."""

    posted = serializers.IntegerField(help_text=_AMOUNT)
    pending = serializers.IntegerField(help_text=f"{_AMOUNT} `pending_debits` less `pending_credits`.")
    pending_debits = serializers.IntegerField(help_text="Minor units, never negative.")
    pending_credits = serializers.IntegerField(help_text="Minor units, never negative.")
    available = serializers.IntegerField(help_text=f"{_AMOUNT} Posted less the pending lines that would reduce it.")


class LedgerAccountSchema(AmountsOnAccountSchema):
    """An account and what stands on it now."""

    code = serializers.CharField()
    currency = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind])
    normal_side = serializers.ChoiceField(choices=[side.value for side in Side])
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    check = CheckSchema()


class LedgerAccountDetailSchema(LedgerAccountSchema):
    """An account, what stands on it now, and how much of it is not sealed yet."""

    unsealed_lines = serializers.IntegerField(help_text="Lines that wait for their place in the chain.")


class LedgerAccountPageSchema(serializers.Serializer[Any]):
    """One page of accounts, by code and currency."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = LedgerAccountSchema(many=True)


class BalanceSchema(AmountsOnAccountSchema):
    """What stood on an account at a date."""

    code = serializers.CharField()
    currency = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind])
    normal_side = serializers.ChoiceField(choices=[side.value for side in Side])
    effective_at = serializers.DateTimeField(allow_null=True)
    known_at = serializers.DateTimeField(allow_null=True)


class StatementSourceSchema(serializers.Serializer[Any]):
    """What an entry is about, and what happened to it."""

    type = serializers.CharField()
    id = serializers.CharField()
    kind = serializers.CharField()


class EntrySourceSchema(StatementSourceSchema):
    """What an entry is about; unique together."""

    sequence = serializers.IntegerField()


class StatementLineSchema(serializers.Serializer[Any]):
    """A posted line with the balance after it."""

    entry = serializers.CharField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=State.choices, help_text="Where the entry stands today.")
    description = serializers.CharField()
    source = StatementSourceSchema()  # type: ignore[assignment]
    effective_at = serializers.DateTimeField()
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    method = serializers.CharField(allow_null=True)
    sealed = serializers.BooleanField()
    amount = serializers.IntegerField(help_text=_AMOUNT)
    balance = serializers.IntegerField(help_text=f"{_AMOUNT} What stands on the account after this line.")


class StatementSchema(serializers.Serializer[Any]):
    """A page of an account's statement."""

    code = serializers.CharField()
    currency = serializers.CharField()
    opening = serializers.IntegerField(help_text=f"{_AMOUNT} Before the whole period.")
    closing = serializers.IntegerField(help_text=f"{_AMOUNT} At its end.")
    next = serializers.URLField(allow_null=True)
    results = StatementLineSchema(many=True)


class EntryLineSchema(serializers.Serializer[Any]):
    """A line of an entry."""

    number = serializers.IntegerField()
    account = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    amount = serializers.IntegerField(help_text=_AMOUNT)
    method = serializers.CharField(allow_null=True)


class SealSchema(serializers.Serializer[Any]):
    """A move's place in the hash chain."""

    position = serializers.IntegerField()
    digest = serializers.CharField(help_text="SHA-256 of the move, hexadecimal.")
    hash = serializers.CharField(help_text="SHA-256 over the hash before, the position and the digest, hexadecimal.")
    sealed_at = serializers.DateTimeField()


class EntryTransitionSchema(serializers.Serializer[Any]):
    """A move of an entry."""

    from_state = serializers.ChoiceField(choices=State.choices, allow_null=True)
    to_state = serializers.ChoiceField(choices=State.choices)
    cause = serializers.CharField()
    actor = serializers.CharField(help_text="`system`, an API client, or `operator` for a person.")
    effective_at = serializers.DateTimeField()
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    trace_id = serializers.CharField(allow_null=True)
    seal = SealSchema(allow_null=True)


class EntrySchema(serializers.Serializer[Any]):
    """An entry with its lines and moves."""

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=State.choices)
    source = EntrySourceSchema()  # type: ignore[assignment]
    description = serializers.CharField()
    reverses = serializers.CharField(allow_null=True)
    reversed_by = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    trace_id = serializers.CharField(allow_null=True)
    lines = EntryLineSchema(many=True)
    transitions = EntryTransitionSchema(many=True)


class EntryPageSchema(serializers.Serializer[Any]):
    """One page of entries, the last recorded first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = EntrySchema(many=True)


class TrialBalanceAccountSchema(serializers.Serializer[Any]):
    """An account in a trial balance."""

    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind])
    normal_side = serializers.ChoiceField(choices=[side.value for side in Side])
    posted = serializers.IntegerField(help_text=_AMOUNT)
    pending = serializers.IntegerField(help_text=_AMOUNT)


class TrialBalanceSchema(serializers.Serializer[Any]):
    """The trial balance of one currency."""

    currency = serializers.CharField()
    debits = serializers.IntegerField(help_text="Minor units, never negative.")
    credits = serializers.IntegerField(help_text="Minor units, never negative.")
    difference = serializers.IntegerField(help_text="Debits less credits: zero, or the books are broken.")
    accounts = TrialBalanceAccountSchema(many=True)


class ChangeSchema(serializers.Serializer[Any]):
    """An account in two trial balances."""

    code = serializers.CharField()
    currency = serializers.CharField()
    name = serializers.CharField()
    before = serializers.IntegerField(help_text=f"{_AMOUNT} At `compare_to`.")
    after = serializers.IntegerField(help_text=f"{_AMOUNT} At `effective_at`.")
    difference = serializers.IntegerField(help_text="`after` less `before`.")


class TrialBalancesSchema(serializers.Serializer[Any]):
    """Trial balances at a date, one per currency."""

    effective_at = serializers.DateTimeField(allow_null=True)
    known_at = serializers.DateTimeField(allow_null=True)
    compare_to = serializers.DateTimeField(allow_null=True)
    currencies = TrialBalanceSchema(many=True)
    changes = ChangeSchema(many=True, allow_null=True, help_text="With `compare_to`: every account, before and after.")


class StoredTotalSchema(serializers.Serializer[Any]):
    """The trial balance of one currency as a closing stored it; nothing is negative."""

    currency = serializers.CharField()
    accounts = serializers.IntegerField()
    debits = serializers.IntegerField()
    credits = serializers.IntegerField()
    pending_debits = serializers.IntegerField()
    pending_credits = serializers.IntegerField()


class PeriodMoveSchema(serializers.Serializer[Any]):
    """A move of a month."""

    from_state = serializers.ChoiceField(choices=PeriodState.choices, allow_null=True)
    to_state = serializers.ChoiceField(choices=PeriodState.choices)
    reason = serializers.CharField(allow_null=True)
    recorded_at = serializers.DateTimeField()


class PeriodSchema(serializers.Serializer[Any]):
    """A month of the books, in UTC."""

    month = serializers.CharField(help_text="`2026-01`")
    state = serializers.ChoiceField(choices=PeriodState.choices)
    version = serializers.IntegerField()
    starts_at = serializers.DateTimeField(help_text="Its first moment.")
    ends_at = serializers.DateTimeField(help_text="The first moment that no longer belongs to it.")
    closings = serializers.IntegerField(help_text="How often it was closed.")
    closed_at = serializers.DateTimeField(allow_null=True)
    hash = serializers.CharField(allow_null=True, help_text="SHA-256 of what the last closing stored, hexadecimal.")
    accounts = serializers.IntegerField(help_text="How many balances the last closing stored.")
    totals = StoredTotalSchema(many=True)
    moves = PeriodMoveSchema(many=True)


class PeriodsSchema(serializers.Serializer[Any]):
    """Every month to which something ever happened, newest first; any other month is open."""

    results = PeriodSchema(many=True)


class JournalLineSchema(serializers.Serializer[Any]):
    """A line of a journal."""

    account = serializers.CharField()
    currency = serializers.CharField()
    amount = serializers.IntegerField(help_text=_AMOUNT)
    method = serializers.CharField(allow_null=True)


class JournalFileSchema(serializers.Serializer[Any]):
    """A file that proves a journal; it is read in the console."""

    id = serializers.CharField()
    sha256 = serializers.CharField()


class JournalSchema(serializers.Serializer[Any]):
    """A proposed journal."""

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=ProposalState.choices)
    version = serializers.IntegerField()
    template = serializers.CharField()
    description = serializers.CharField()
    reason = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    corrects = serializers.CharField(allow_null=True)
    lines = JournalLineSchema(many=True)
    attachments = JournalFileSchema(many=True)
    proposed_by = serializers.CharField(help_text="An API client, or `operator` for a person.")
    proposed_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.CharField(
        allow_null=True, help_text="What was made, or why it was refused or went stale; for people."
    )
    entry = serializers.CharField(allow_null=True, help_text="The entry that it became.")


class JournalPageSchema(serializers.Serializer[Any]):
    """One page of proposed journals, newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = JournalSchema(many=True)
