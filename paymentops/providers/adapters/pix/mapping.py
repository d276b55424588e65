"""The only place that knows the words of the API Pix.

Source: the API Pix of the Banco Central do Brasil, version 2, https://github.com/bacen/pix-api (openapi.yaml), read in
2026. A charge (``cob``) is created under a ``txid`` of ours, paid by the payer's bank and then carries the Pix that
was received; a refund (``devolucao``) belongs to a received Pix and has an ``id`` of ours.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from paymentops.core.money import Money
from paymentops.providers.adapters.pix import amounts
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Pending,
    RetryClass,
    Reversed,
    Unknown,
    attempt_id_of,
)
from paymentops.providers.transport import Answer

type Document = Mapping[str, Any]
type Result = Approved | Declined | ActionRequired | Pending | Unknown

_REMOVED: Final = {
    "REMOVIDA_PELO_USUARIO_RECEBEDOR": "removed_by_receiver",
    "REMOVIDO_PELO_USUARIO_RECEBEDOR": "removed_by_receiver",
    "REMOVIDA_PELO_PSP": "removed_by_psp",
    "REMOVIDO_PELO_PSP": "removed_by_psp",
}
_CONTESTED: Final = frozenset({400, 409, 422})
# A Pix that was sent just before the charge expired may be told of a little later.
_SETTLING: Final = timedelta(minutes=1)
_OURS: Final = "ORIGINAL"
_TAKEN_BY_BANK: Final = "MED_"


class Unreadable(ValueError):
    """A document is not what the API Pix documents."""


def charge_document(*, amount: Money, pix_key: str, reference: str, expires_seconds: int) -> dict[str, Any]:
    """Return the body that creates a charge of a fixed amount."""
    return {
        "calendario": {"expiracao": expires_seconds},
        "valor": {"original": amount.decimal(), "modalidadeAlteracao": 0},
        "chave": pix_key,
        "infoAdicionais": [{"nome": "Pedido", "valor": reference}],
    }


def removal_document() -> dict[str, Any]:
    """Return the body that takes a charge back before it is paid."""
    return {"status": "REMOVIDA_PELO_USUARIO_RECEBEDOR"}


def refund_document(*, amount: Money) -> dict[str, Any]:
    """Return the body that asks for a refund."""
    return {"valor": amount.decimal()}


def charge(answer: Answer, *, txid: str, asked: Money, now: datetime) -> Result:
    """Read a charge as the outcome of an authorisation: paid, waiting for the payer, expired or taken back."""
    try:
        document = read_object(answer.body)
        _require(document, "txid", txid)
        _require_amount(_inner(document, "valor"), "original", asked)
        return _charge(document, txid=txid, now=now)
    except Unreadable as unreadable:
        return Unknown(reason="unreadable", at=now, detail={"why": str(unreadable)})


def removal(answer: Answer, *, txid: str, asked: Money, now: datetime) -> Result | NotFound:
    """Read a charge as the outcome of taking it back; ``NotFound`` while it can still be paid."""
    try:
        document = read_object(answer.body)
        _require(document, "txid", txid)
        status = text(document, "status")
    except Unreadable as unreadable:
        return Unknown(reason="unreadable", at=now, detail={"why": str(unreadable)})
    if status in _REMOVED:
        return Approved(provider_reference=txid, amount=asked, at=now)
    if status == "CONCLUIDA":
        message = "The charge was paid and can only be refunded."
        return Declined(code="already_paid", retry_class=RetryClass.INVALID, message=message, at=now)
    if status == "ATIVA":
        return NotFound(at=now)
    return Unknown(reason="status_unknown", at=now, provider_reference=txid, detail={"status": status[:100]})


def refund(answer: Answer, *, key: str, asked: Money, now: datetime) -> Result:
    """Read a refund that was asked for under ``key``."""
    try:
        document = read_object(answer.body)
        _require(document, "id", key)
        _require_amount(document, "valor", asked)
        return refund_result(document, now=now)
    except Unreadable as unreadable:
        return Unknown(reason="unreadable", at=now, detail={"why": str(unreadable)})


def refund_result(document: Document, *, now: datetime) -> Result:
    """Read a refund's state.

    Raises:
        Unreadable: it lacks what every refund has.
    """
    status, about = text(document, "status"), text(document, "id")
    times = document.get("horario")
    times = times if isinstance(times, Mapping) else {}
    at = moment(times.get("liquidacao"), otherwise=moment(times.get("solicitacao"), otherwise=now))
    if status == "DEVOLVIDO":
        return Approved(provider_reference=_return_id(document, about), amount=_amount(document, "valor"), at=at)
    if status == "EM_PROCESSAMENTO":
        return Pending(provider_reference=_return_id(document, about), at=at)
    if status == "NAO_REALIZADO":
        reason = document.get("motivo")
        return Declined(
            code="not_carried_out",
            # The usual reason is that the receiving account holds too little; that can change.
            retry_class=RetryClass.SOFT_DECLINE,
            message=reason[:300] if isinstance(reason, str) and reason else "The refund was not carried out.",
            at=at,
            provider_reference=_return_id(document, about),
        )
    return Unknown(reason="status_unknown", at=now, provider_reference=about, detail={"status": status[:100]})


def refund_news(document: Document, *, now: datetime) -> Result | Reversed:
    """Read a refund's state as it is told unasked: one that was not carried out may have been told as done before.

    Raises:
        Unreadable: it lacks what every refund has.
    """
    result = refund_result(document, now=now)
    if not isinstance(result, Declined):
        return result
    return Reversed(
        amount=_amount(document, "valor"),
        code=result.code,
        message=result.message,
        at=result.at,
        provider_reference=result.provider_reference,
        retry_class=result.retry_class,
    )


def received(document: Document, *, now: datetime) -> Approved:
    """Read a received Pix as the payment of its charge: whatever amount came is told as it came.

    Raises:
        Unreadable: it lacks what every received Pix has.
    """
    amount = _amount(document, "valor")
    at = moment(document.get("horario"), otherwise=now)
    return Approved(provider_reference=text(document, "endToEndId"), amount=amount, at=at, captured=amount)


def is_our_refund(document: Document) -> bool:
    """Tell whether a refund was asked for by us, and not made by our bank (``MED_*``) or under a foreign id."""
    about = document.get("id")
    nature = document.get("natureza", _OURS)
    return nature == _OURS and isinstance(about, str) and attempt_id_of(about) is not None


def is_taken_by_bank(document: Document) -> bool:
    """Tell whether the bank itself made a refund, under the Central Bank's special return mechanism (``MED_*``)."""
    nature = document.get("natureza")
    return isinstance(nature, str) and nature.startswith(_TAKEN_BY_BANK)


def taken_by_bank(refunds: Sequence[Document], *, success: object, now: datetime) -> Reversed | None:
    """Read how much of a received Pix its bank has taken back in all; ``None`` for nothing, or no Pix of ours.

    Raises:
        Unreadable: a refund lacks what every refund has.
    """
    read = [refund_result(refund, now=now) for refund in refunds if is_taken_by_bank(refund)]
    done = [result for result in read if isinstance(result, Approved)]
    if not done or not isinstance(success, Approved):
        return None
    last = max(done, key=lambda result: result.at)
    total = sum((result.amount for result in done[1:]), start=done[0].amount)
    return Reversed(
        amount=total,
        code="taken_by_bank",
        message="The bank returned the Pix under the special return mechanism (MED).",
        at=last.at,
        provider_reference=success.provider_reference,
        success=success,
    )


def is_contested(answer: Answer) -> bool:
    """Tell whether a refusal may be due to what an earlier request under the same id has already done."""
    return answer.status in _CONTESTED


def refusal(answer: Answer, *, now: datetime) -> Declined | NotSent | Unknown:
    """Read an error answer (RFC 7807) to a request with an effect."""
    if answer.status == 429:
        return NotSent(reason="rate_limited", retry_class=RetryClass.THROTTLED, at=now)
    if answer.status == 401:
        return NotSent(reason="token_refused", retry_class=RetryClass.NOT_SENT, at=now)
    kind, message = _problem(answer)
    is_no = is_contested(answer) or answer.status == 403 or (answer.status == 404 and "NaoEncontrad" in kind)
    if not kind or not is_no:
        return Unknown(reason=f"http_{answer.status}", at=now, detail={"problem": kind})
    return Declined(code=kind[:80], retry_class=RetryClass.INVALID, message=message, at=now)


def is_not_found(answer: Answer) -> bool:
    """Tell whether the API itself says that there is no such thing; a 404 of something in between does not count."""
    return answer.status == 404 and "NaoEncontrad" in _problem(answer)[0]


def read_object(body: bytes) -> Document:
    """Read a JSON object.

    Raises:
        Unreadable: it is none.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(document, dict):
        raise Unreadable("not a JSON object")
    return document


def text(document: Document, name: str) -> str:
    """Read a member that must be text and not empty.

    Raises:
        Unreadable: it is not.
    """
    value = document.get(name)
    if not isinstance(value, str) or not value or "\x00" in value or len(value) > 600:
        raise Unreadable(f"{name} is not text")
    return value


def moment(value: Any, *, otherwise: datetime) -> datetime:
    """Read a time with its offset, or return ``otherwise``."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else otherwise
    except ValueError:
        return otherwise
    return found if found.tzinfo is not None else otherwise


def _charge(document: Document, *, txid: str, now: datetime) -> Result:
    status = text(document, "status")
    if status == "CONCLUIDA":
        entries = document.get("pix")
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise Unreadable("a paid charge without the Pix that paid it")
        outcome = received(entries[0], now=now)
        surplus = [text(entry, "endToEndId") for entry in entries[1:]]
        return _with_duplicates(outcome, surplus)
    if status == "ATIVA":
        expires_at = _expiry(_inner(document, "calendario"))
        if now > expires_at + _SETTLING:
            return Declined(
                code="expired",
                retry_class=RetryClass.AUTH_REQUIRED,
                message="The payer did not pay in time.",
                at=expires_at,
                provider_reference=txid,
                lapsed=True,
            )
        return ActionRequired(
            provider_reference=txid, action=_action(document), at=now, expires_at=expires_at, detail={"txid": txid}
        )
    if status in _REMOVED:
        return Declined(
            code=_REMOVED[status],
            retry_class=RetryClass.HARD_DECLINE,
            message="The charge was taken back.",
            at=now,
            provider_reference=txid,
            withdrawn=True,
        )
    return Unknown(reason="status_unknown", at=now, provider_reference=txid, detail={"status": status[:100]})


def _with_duplicates(outcome: Approved, duplicates: list[str]) -> Approved:
    return Approved(
        provider_reference=outcome.provider_reference,
        amount=outcome.amount,
        at=outcome.at,
        captured=outcome.captured,
        detail={"duplicates": duplicates} if duplicates else {},
    )


def _action(document: Document) -> dict[str, str]:
    """Return the code to show as a QR code or to copy; ``url`` is where the payer's bank reads the charge."""
    location = document.get("location")
    url = f"https://{location}" if isinstance(location, str) and location else ""
    return {"type": "qr", "url": url, "code": text(document, "pixCopiaECola")}


def _expiry(calendar: Document) -> datetime:
    made, lasts = calendar.get("criacao"), calendar.get("expiracao")
    if isinstance(lasts, bool) or not isinstance(lasts, int) or not 0 < lasts < 10**9:
        raise Unreadable("expiracao is not a number of seconds")
    try:
        made_at = datetime.fromisoformat(made) if isinstance(made, str) else None
    except ValueError as error:
        raise Unreadable("criacao is not a time") from error
    if made_at is None or made_at.tzinfo is None:
        raise Unreadable("criacao is not a time with its offset")
    return made_at + timedelta(seconds=lasts)


def _return_id(document: Document, otherwise: str) -> str:
    found = document.get("rtrId")
    return found if isinstance(found, str) and 0 < len(found) <= 64 else otherwise


def _problem(answer: Answer) -> tuple[str, str]:
    """Return the last part of a problem's type and its sentence; empty when the body is not a problem."""
    try:
        document = read_object(answer.body)
        kind = text(document, "type").rpartition("/")[2]
    except Unreadable:
        return "", ""
    detail = document.get("detail") or document.get("title")
    return kind, detail[:300] if isinstance(detail, str) else "The provider refused the request."


def _require(document: Document, name: str, wanted: str) -> None:
    if text(document, name) != wanted:
        raise Unreadable("the answer is about something else")


def _require_amount(document: Document, name: str, asked: Money) -> None:
    if _amount(document, name) != asked:
        raise Unreadable(f"{name} is not what was asked for")


def _inner(document: Document, name: str) -> Document:
    value = document.get(name)
    if not isinstance(value, Mapping):
        raise Unreadable(f"{name} is not an object")
    return value


def _amount(document: Document, name: str) -> Money:
    amount = amounts.from_valor(text(document, name))
    if amount is None:
        raise Unreadable(f"{name} is not an amount")
    return amount
