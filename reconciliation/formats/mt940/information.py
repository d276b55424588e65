"""The information to the account owner (``:86:``), which every bank writes in its own way.

Three ways are known: the German one with a code and ``?20`` sub-fields (read by the library ``mt-940``, SEPA keywords
in the purpose included), the one with keywords between slashes (``/EREF/…/REMI/…``), and plain text. The whole text is
kept as the description in the last two; in the first the purpose and the other party are.
"""

import re
from typing import Final, NamedTuple

from mt940 import models, options, processors, tags

_STRUCTURED = re.compile(r"\d{3}\?\d{2}")
_SLASHES = re.compile(r"/([A-Z]{2,8})/([^/]*(?:/(?![A-Z]{2,8}/)[^/]*)*)")
_KEPT: Final = {
    "EREF": "EndToEndId",
    "MARF": "MandateId",
    "PREF": "PaymentReference",
    "KREF": "CustomerReference",
    "IREF": "InstructionId",
    "RTRN": "ReturnReason",
    "TRTP": "TransactionType",
}
_LIBRARY: Final = {
    "end_to_end_reference": "EndToEndId",
    "customer_reference": "CustomerReference",
    "additional_position_reference": "MandateId",
    "applicant_creditor_id": "CreditorId",
    "applicant_iban": "CounterpartyAccount",
    "gvc_applicant_iban": "CounterpartyAccount",
    "prima_nota": "PrimaNota",
    "return_debit_notes": "ReturnReason",
}
_NOT_PROVIDED: Final = frozenset({"NOTPROVIDED", "NONREF", "NOT PROVIDED"})
_CONTEXT: Final = models.Transactions(options=options.Options.all())
_TAG: Final = tags.TransactionDetails()


class Information(NamedTuple):
    """What an ``:86:`` says: the bank's code for the kind of business, the description and the references in it."""

    code: str = ""
    description: str = ""
    references: tuple[tuple[str, str], ...] = ()

    def reference(self, name: str) -> str:
        """Return one reference, or an empty string."""
        return dict(self.references).get(name, "")


def read(text: str) -> Information:
    """Return what the text says; nothing of it can be unreadable, for it is free text in the end."""
    joined = "".join(line.strip("\r\n") for line in text.split("\n"))
    if _STRUCTURED.match(joined):
        return _structured(text, joined)
    found = {name: value.strip() for name, value in _SLASHES.findall(joined)} if joined.startswith("/") else {}
    references = tuple((_KEPT[name], value) for name, value in found.items() if name in _KEPT and _given(value))
    return Information(code="", description=" ".join(text.split()), references=references)


def _structured(text: str, joined: str) -> Information:
    """Read the German structure; sub-fields that the library does not know stay in the description."""
    found = processors.transaction_details_post_processor(
        _CONTEXT, _TAG, {"transaction_details": text}, {"transaction_details": text}
    )
    references = tuple(
        dict.fromkeys(
            (name, str(found[key]).strip()) for key, name in _LIBRARY.items() if _given(str(found.get(key) or ""))
        )
    )
    parts = [
        found.get("posting_text"),
        found.get("purpose"),
        found.get("additional_purpose"),
        found.get("applicant_name"),
    ]
    description = " ".join(str(part).strip() for part in parts if part)
    return Information(code=joined[:3], description=description or joined, references=references)


def _given(value: str) -> bool:
    return bool(value.strip()) and value.strip().upper() not in _NOT_PROVIDED
