"""What the OpenAPI document says about the books: words, parameters, examples and errors."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from ledger.api import questions as q
from ledger.api import schemas as s
from ledger.api.proposing import ProposeJournalBody
from paymentops.core.api import problems

_TAGS: Final = ["Ledger"]
_REFUSALS: Final[dict[Any, Any]] = problems(400, 401, 403, 503)
_REFUSALS_OF_ONE: Final[dict[Any, Any]] = problems(400, 401, 403, 404, 503)

_CODE: Final = OpenApiParameter(
    "code",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="The account's code, `2020` or `1110:sandbox`.",
    examples=[OpenApiExample("What a provider owes us", value="1110:sandbox")],
)
_CURRENCY: Final = OpenApiParameter(
    "currency",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="The account's ISO 4217 code.",
    examples=[OpenApiExample("Euro", value="EUR")],
)
_MONTH: Final = OpenApiParameter(
    "month",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="Year and month.",
    examples=[OpenApiExample("January", value="2026-01")],
)

_AMOUNTS: Final = {
    "posted": 12990,
    "pending": 5000,
    "pending_debits": 5000,
    "pending_credits": 0,
    "available": 12990,
}
_ACCOUNT: Final = {
    "code": "1110:sandbox",
    "currency": "EUR",
    "name": "provider_receivable:sandbox",
    "kind": "ASSET",
    "normal_side": "DEBIT",
    "created_at": "2026-01-05T09:00:00.000000Z",
    "closed_at": None,
    **_AMOUNTS,
    "check": {"state": "PASSED", "checked_at": "2026-02-01T03:00:00.000000Z", "drifted_at": None},
}
_BALANCE: Final = {
    "code": "1110:sandbox",
    "currency": "EUR",
    "name": "provider_receivable:sandbox",
    "kind": "ASSET",
    "normal_side": "DEBIT",
    "effective_at": "2026-01-31T23:59:59.999999Z",
    "known_at": None,
    **_AMOUNTS,
}
_SOURCE: Final = {"type": "payment", "id": "pay_019aa5b1c2d37e4f8a9b0c1d2e3f4a5b", "kind": "sale"}
_ENTRY_ID: Final = "ent_019aa5b1c2d37e4f8a9b0c1d2e3f4a5c"
_STATEMENT: Final = {
    "code": "1110:sandbox",
    "currency": "EUR",
    "opening": 0,
    "closing": 12990,
    "results": [
        {
            "entry": _ENTRY_ID,
            "number": 1,
            "state": "POSTED",
            "description": "Sale",
            "source": _SOURCE,
            "effective_at": "2026-01-05T09:00:00.000000Z",
            "occurred_at": "2026-01-05T09:00:00.000000Z",
            "recorded_at": "2026-01-05T09:00:01.250000Z",
            "method": "card",
            "sealed": True,
            "amount": 12990,
            "balance": 12990,
        }
    ],
    "next": None,
}
_ENTRY: Final = {
    "id": _ENTRY_ID,
    "state": "POSTED",
    "source": {**_SOURCE, "sequence": 0},
    "description": "Sale",
    "reverses": None,
    "reversed_by": None,
    "occurred_at": "2026-01-05T09:00:00.000000Z",
    "recorded_at": "2026-01-05T09:00:01.250000Z",
    "trace_id": None,
    "lines": [
        {
            "number": 1,
            "account": "1110:sandbox",
            "name": "provider_receivable:sandbox",
            "currency": "EUR",
            "amount": 12990,
            "method": "card",
        },
        {
            "number": 2,
            "account": "2010:cli_019aa5b1c2d37e4f8a9b0c1d2e3f4a5d",
            "name": "merchant_payable:cli_019aa5b1c2d37e4f8a9b0c1d2e3f4a5d",
            "currency": "EUR",
            "amount": -12990,
            "method": None,
        },
    ],
    "transitions": [
        {
            "from_state": None,
            "to_state": "POSTED",
            "cause": "attempt:att_019aa5b1c2d37e4f8a9b0c1d2e3f4a5e",
            "actor": "system",
            "effective_at": "2026-01-05T09:00:00.000000Z",
            "occurred_at": "2026-01-05T09:00:00.000000Z",
            "recorded_at": "2026-01-05T09:00:01.250000Z",
            "trace_id": None,
            "seal": {
                "position": 1,
                "digest": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                "hash": "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
                "sealed_at": "2026-01-05T09:00:03.000000Z",
            },
        }
    ],
}
_TRIAL_BALANCE: Final = {
    "effective_at": "2026-02-28T23:59:59.999999Z",
    "known_at": None,
    "compare_to": "2026-01-31T23:59:59.999999Z",
    "currencies": [
        {
            "currency": "EUR",
            "debits": 12990,
            "credits": 12990,
            "difference": 0,
            "accounts": [
                {
                    "code": "1110:sandbox",
                    "name": "provider_receivable:sandbox",
                    "kind": "ASSET",
                    "normal_side": "DEBIT",
                    "posted": 12990,
                    "pending": 0,
                },
                {
                    "code": "2020",
                    "name": "refunds_in_flight",
                    "kind": "LIABILITY",
                    "normal_side": "CREDIT",
                    "posted": -12990,
                    "pending": 0,
                },
            ],
        }
    ],
    "changes": [
        {
            "code": "1110:sandbox",
            "currency": "EUR",
            "name": "provider_receivable:sandbox",
            "before": 10000,
            "after": 12990,
            "difference": 2990,
        },
        {
            "code": "2020",
            "currency": "EUR",
            "name": "refunds_in_flight",
            "before": -10000,
            "after": -12990,
            "difference": -2990,
        },
    ],
}
_PERIOD: Final = {
    "month": "2026-01",
    "state": "CLOSED",
    "version": 3,
    "starts_at": "2026-01-01T00:00:00.000000Z",
    "ends_at": "2026-02-01T00:00:00.000000Z",
    "closings": 1,
    "closed_at": "2026-02-03T09:00:00.000000Z",
    "hash": "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
    "accounts": 2,
    "totals": [
        {
            "currency": "EUR",
            "accounts": 2,
            "debits": 12990,
            "credits": 12990,
            "pending_debits": 0,
            "pending_credits": 0,
        }
    ],
    "moves": [
        {"from_state": "OPEN", "to_state": "CLOSING", "reason": None, "recorded_at": "2026-02-03T09:00:00.000000Z"},
        {"from_state": "CLOSING", "to_state": "CLOSED", "reason": None, "recorded_at": "2026-02-03T09:00:00.000000Z"},
    ],
}


def _answer(schema: Any, name: str, value: Any) -> OpenApiResponse:
    return OpenApiResponse(schema, examples=[OpenApiExample(name, value=value, response_only=True)])


def _reading(operation_id: str, summary: str, answer: OpenApiResponse, *parameters: Any, **rest: Any) -> dict[str, Any]:
    one = any(getattr(parameter, "location", "") == OpenApiParameter.PATH for parameter in parameters)
    return {
        "operation_id": operation_id,
        "tags": _TAGS,
        "summary": summary,
        "parameters": list(parameters),
        "responses": {200: answer, **(_REFUSALS_OF_ONE if one else _REFUSALS)},
        **rest,
    }


ACCOUNTS: Final = _reading(
    "list_ledger_accounts",
    "List accounts with what stands on them now",
    _answer(s.LedgerAccountPageSchema, "One account", {"next": None, "previous": None, "results": [_ACCOUNT]}),
    q.AccountsQuestion,
)
ACCOUNT: Final = _reading(
    "get_ledger_account",
    "Show an account and what stands on it now",
    _answer(s.LedgerAccountDetailSchema, "An account", {**_ACCOUNT, "unsealed_lines": 0}),
    _CODE,
    _CURRENCY,
)
BALANCE: Final = _reading(
    "get_ledger_balance",
    "Show what stood on an account at a date",
    _answer(s.BalanceSchema, "At the end of January", _BALANCE),
    _CODE,
    _CURRENCY,
    q.BalanceQuestion,
    description="A balance has two dates: `effective_at` asks what counted by a moment, `known_at` what had been "
    "recorded by one. What was authorised in January and captured in February leaves January's balances as they were.",
)
STATEMENT: Final = _reading(
    "get_ledger_statement",
    "List an account's posted lines with the balance after each",
    _answer(s.StatementSchema, "A sale", _STATEMENT),
    _CODE,
    _CURRENCY,
    q.StatementQuestion,
    description="`opening` and `closing` are those of the whole period, whichever page of it is read.",
)
ENTRIES: Final = _reading(
    "list_ledger_entries",
    "List entries, the last recorded first",
    _answer(s.EntryPageSchema, "A sale", {"next": None, "previous": None, "results": [_ENTRY]}),
    q.EntriesQuestion,
)
ENTRY: Final = _reading(
    "get_ledger_entry",
    "Show an entry with its lines, its moves and their places in the chain",
    _answer(s.EntrySchema, "A sale", _ENTRY),
    OpenApiParameter("entry_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="`ent_…`"),
)
TRIAL_BALANCE: Final = _reading(
    "get_ledger_trial_balance",
    "Show every account's posted balance at a date, and what moved since another",
    _answer(s.TrialBalancesSchema, "February, compared with January", _TRIAL_BALANCE),
    q.TrialBalanceQuestion,
)
PERIODS: Final = _reading(
    "list_ledger_periods",
    "List the months to which something happened, newest first",
    _answer(s.PeriodsSchema, "A closed month", {"results": [_PERIOD]}),
    description="A month that is not listed is open.",
)
PERIOD: Final = _reading(
    "get_ledger_period",
    "Show a month and what its closing stored",
    _answer(s.PeriodSchema, "A closed month", _PERIOD),
    _MONTH,
)

_KEY: Final = OpenApiParameter(
    name="Idempotency-Key",
    type=OpenApiTypes.STR,
    location=OpenApiParameter.HEADER,
    required=True,
    description="Your own name for this request, 16 to 255 characters. Send the same key with every retry: the answer "
    "is then the first one, byte for byte, with `Idempotent-Replayed: true`.",
)
_CHARGE: Final = {
    "template": "bank_charge",
    "description": "Charges of January",
    "reason": "The bank's statement of 31 January lists them.",
    "occurred_at": "2026-01-31T12:00:00Z",
    "amount": 1250,
    "currency": "EUR",
    "parts": {"bank account": "main"},
}
_CORRECTION: Final = {
    "template": "correction",
    "description": "The fee belongs to disputes",
    "reason": "It was booked as a processing fee.",
    "occurred_at": "2026-01-31T12:00:00Z",
    "corrects": _ENTRY_ID,
    "lines": [
        {"account": "5020", "currency": "EUR", "amount": 1500},
        {"account": "5010", "currency": "EUR", "amount": -1500},
    ],
}
_JOURNAL: Final = {
    "id": "prp_019aa5b1c2d37e4f8a9b0c1d2e3f4a60",
    "state": "PROPOSED",
    "version": 1,
    "template": "bank_charge",
    "description": "Charges of January",
    "reason": "The bank's statement of 31 January lists them.",
    "occurred_at": "2026-01-31T12:00:00.000000Z",
    "corrects": None,
    "lines": [
        {"account": "5010", "currency": "EUR", "amount": 1250, "method": None},
        {"account": "1010:main", "currency": "EUR", "amount": -1250, "method": None},
    ],
    "attachments": [],
    "proposed_by": "cli_019aa5b1c2d37e4f8a9b0c1d2e3f4a5b",
    "proposed_at": "2026-02-02T08:00:00.000000Z",
    "decided_at": None,
    "outcome": None,
    "entry": None,
}
_POSTED: Final = {
    **_JOURNAL,
    "state": "CARRIED_OUT",
    "version": 3,
    "decided_at": "2026-02-02T10:15:00.000000Z",
    "outcome": _ENTRY_ID,
    "entry": _ENTRY_ID,
}

JOURNALS: Final = _reading(
    "list_ledger_journals",
    "List proposed journals, newest first",
    _answer(s.JournalPageSchema, "One journal", {"next": None, "previous": None, "results": [_POSTED]}),
    q.JournalsQuestion,
)
JOURNAL: Final = _reading(
    "get_ledger_journal",
    "Show a proposed journal, where it stands, and the entry that it became",
    _answer(s.JournalSchema, "A journal in the books", _POSTED),
    OpenApiParameter("journal_id", OpenApiTypes.STR, OpenApiParameter.PATH, description="`prp_…`"),
)
PROPOSE_JOURNAL: Final[dict[str, Any]] = {
    "operation_id": "propose_ledger_journal",
    "tags": _TAGS,
    "summary": "Propose a journal exactly once; a person posts it by approving",
    "description": "Nothing is posted by this call. Somebody with the right to approve journals sees it in the "
    "console and approves or rejects it; read it again to learn which. Journals that need a file as their proof are "
    "proposed by people. Amount, currency and parts mean the same as the two lines they stand for.\n\n"
    "A refusal leaves no key behind, so a corrected request may use the same key.",
    "parameters": [_KEY],
    "request": ProposeJournalBody,
    "responses": {
        201: OpenApiResponse(s.JournalSchema, description="Proposed, now or before."),
        **problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    },
    "examples": [
        OpenApiExample("Charges of the bank", value=_CHARGE, request_only=True),
        OpenApiExample("A correction, line by line", value=_CORRECTION, request_only=True),
        OpenApiExample("Proposed", value=_JOURNAL, response_only=True, status_codes=["201"]),
    ],
}
