"""Notifications of the API Pix, and answers recorded in the shapes the standard documents."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.core.money import Money
from paymentops.providers.adapters.pix import mapping, notifications
from paymentops.providers.adapters.pix.amounts import from_valor
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    InboundWebhook,
    NotSent,
    Operation,
    Pending,
    RetryClass,
    Reversed,
    Unknown,
    WebhookRefused,
    WebhookUnauthentic,
)
from paymentops.providers.transport import Answer
from tests.providers.fakes import pix as fake
from tests.providers.test_mappings import json_values

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
KEY = UUID(int=7).hex
BRL_100 = Money(10_000, "BRL")
RECEIVED = {
    "endToEndId": "E12345678202605061159abcdef12345",
    "txid": KEY,
    "valor": "100.00",
    "chave": fake.PIX_KEY,
    "horario": "2026-05-06T08:59:30.123-03:00",
    "infoPagador": "Pedido 77",
}
GIVEN_BACK = {
    "id": KEY,
    "rtrId": "D12345678202605061200abcdef12345",
    "valor": "25.00",
    "natureza": "ORIGINAL",
    "horario": {"solicitacao": "2026-05-06T12:00:00.000Z", "liquidacao": "2026-05-06T12:00:02.000Z"},
    "status": "DEVOLVIDO",
}
CHARGE = {
    "calendario": {"criacao": "2026-05-06T11:30:00.000Z", "expiracao": 3600},
    "txid": KEY,
    "revisao": 0,
    "location": "pix.example.com/qr/v2/abc",
    "status": "ATIVA",
    "valor": {"original": "100.00"},
    "chave": fake.PIX_KEY,
    "pixCopiaECola": "00020101021226830014br.gov.bcb.pix",
}


def answer(document: Any, status: int = 200) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(status=status, headers={}, body=body)


@pytest.mark.parametrize("query", [{}, {"token": "another"}, {"token": ""}, {"token": "ü"}])
def test_only_the_address_that_the_bank_was_given_is_authentic(query: dict[str, str]) -> None:
    webhook = InboundWebhook(body=fake.notification(RECEIVED).body, headers={}, query=query)
    with pytest.raises(WebhookUnauthentic):
        notifications.require_authentic(webhook, tokens=("the new one", fake.TOKEN))


def test_an_old_secret_counts_beside_the_new_one_and_none_counts_when_none_is_set() -> None:
    notifications.require_authentic(fake.notification(RECEIVED), tokens=("the new one", fake.TOKEN))
    with pytest.raises(WebhookUnauthentic):
        notifications.require_authentic(fake.notification(RECEIVED), tokens=())


def test_several_pix_and_their_refunds_are_told_in_one_request() -> None:
    other = RECEIVED | {"endToEndId": "E2", "txid": UUID(int=8).hex, "devolucoes": [GIVEN_BACK]}
    events = notifications.read(fake.notification(RECEIVED, other).body, now=NOW)
    assert [(event.event_id, event.operation, event.provider_key) for event in events] == [
        (RECEIVED["endToEndId"], Operation.AUTHORIZE, KEY),
        ("E2", Operation.AUTHORIZE, UUID(int=8).hex),
        (f"E2/{KEY}/DEVOLVIDO", Operation.REFUND, KEY),
    ]
    assert isinstance(events[0].outcome, Approved)
    assert (events[0].outcome.amount, events[0].outcome.captured) == (BRL_100, BRL_100)
    assert events[0].occurred_at == datetime(2026, 5, 6, 11, 59, 30, 123_000, tzinfo=UTC)
    assert isinstance(events[2].outcome, Approved)
    assert events[2].outcome.provider_reference == GIVEN_BACK["rtrId"]


@pytest.mark.parametrize("txid", [None, "", "fixed-code-of-the-shop", 5])
def test_a_pix_that_pays_no_charge_of_ours_is_only_recorded(txid: Any) -> None:
    [event] = notifications.read(fake.notification(RECEIVED | {"txid": txid}).body, now=NOW)
    assert (event.operation, event.outcome, event.provider_key) == (None, None, "")


@pytest.mark.parametrize("nature", ["MED_FRAUDE", "MED_OPERACIONAL", "MED_PIX_AUTOMATICO"])
def test_what_the_bank_returned_by_itself_takes_the_payment_back(nature: str) -> None:
    taken = [GIVEN_BACK | {"natureza": nature, "id": f"D{n}", "valor": "10.00"} for n in (1, 2)]
    *_, event = notifications.read(fake.notification(RECEIVED | {"devolucoes": taken}).body, now=NOW)
    assert (event.kind, event.operation, event.provider_key) == (f"refund.{nature.lower()}", Operation.AUTHORIZE, KEY)
    assert isinstance(event.outcome, Reversed)
    assert event.outcome.amount == Money(2000, "BRL")
    assert isinstance(event.outcome.success, Approved)
    foreign = RECEIVED | {"devolucoes": taken, "txid": "fixed-code-of-the-shop"}
    *_, event = notifications.read(fake.notification(foreign).body, now=NOW)
    assert (event.operation, event.outcome) == (None, None)


def test_a_refund_of_ours_that_was_not_carried_out_may_have_been_told_as_done() -> None:
    failed = GIVEN_BACK | {"status": "NAO_REALIZADO", "motivo": "Saldo insuficiente"}
    *_, event = notifications.read(fake.notification(RECEIVED | {"devolucoes": [failed]}).body, now=NOW)
    assert (event.operation, event.provider_key) == (Operation.REFUND, KEY)
    assert isinstance(event.outcome, Reversed)
    assert event.outcome.message == "Saldo insuficiente"


@pytest.mark.parametrize("body", [b"{}", b'{"evento": "teste_webhook"}', b'{"pix": []}'])
def test_the_request_by_which_a_bank_tries_the_address_tells_nothing(body: bytes) -> None:
    assert notifications.read(body, now=NOW) == []


@given(body=st.binary(max_size=50).filter(lambda body: body.strip() != b"{}") | st.sampled_from([b"[]", b'{"pix": 5}']))
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        notifications.read(body, now=NOW)


@given(name=st.sampled_from([*RECEIVED, "devolucoes"]), inner=st.sampled_from(sorted(GIVEN_BACK)), value=json_values)
def test_no_value_in_a_notification_escapes_as_another_exception(name: str, inner: str, value: Any) -> None:
    for entry in (RECEIVED | {name: value}, RECEIVED | {"devolucoes": [GIVEN_BACK | {inner: value}]}):
        try:
            notifications.read(json.dumps({"pix": [entry]}).encode(), now=NOW)
        except WebhookRefused:
            continue


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, ActionRequired),
        ({"calendario": {"criacao": "2026-05-06T10:00:00.000Z", "expiracao": 3600}}, Declined),
        ({"calendario": {"criacao": "yesterday", "expiracao": 3600}}, Unknown),
        ({"status": "CONCLUIDA", "pix": [RECEIVED]}, Approved),
        ({"status": "CONCLUIDA"}, Unknown),
        ({"status": "CONCLUIDA", "pix": [{}]}, Unknown),
        ({"status": "REMOVIDA_PELO_PSP"}, Declined),
        ({"status": "REMOVIDO_PELO_USUARIO_RECEBEDOR"}, Declined),
        ({"status": "A_NEW_ONE"}, Unknown),
        ({"txid": "another"}, Unknown),
        ({"valor": {"original": "100.01"}}, Unknown),
        ({"valor": {"original": "100,00"}}, Unknown),
    ],
)
def test_a_charge_in_our_words(changes: dict[str, Any], kind: type) -> None:
    assert isinstance(mapping.charge(answer(CHARGE | changes), txid=KEY, asked=BRL_100, now=NOW), kind)


def test_a_charge_that_is_just_over_may_still_be_paid() -> None:
    just_over = datetime(2026, 5, 6, 12, 30, 30, tzinfo=UTC)
    over = just_over + timedelta(minutes=1)
    assert isinstance(mapping.charge(answer(CHARGE), txid=KEY, asked=BRL_100, now=just_over), ActionRequired)
    ended = mapping.charge(answer(CHARGE), txid=KEY, asked=BRL_100, now=over)
    assert isinstance(ended, Declined)
    assert (ended.code, ended.retry_class, ended.lapsed) == ("expired", RetryClass.AUTH_REQUIRED, True)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, Approved),
        ({"status": "EM_PROCESSAMENTO"}, Pending),
        ({"status": "NAO_REALIZADO", "motivo": "Saldo insuficiente"}, Declined),
        ({"status": "NAO_REALIZADO", "motivo": None}, Declined),
        ({"status": "A_NEW_ONE"}, Unknown),
        ({"id": "another"}, Unknown),
        ({"valor": "24.99"}, Unknown),
    ],
)
def test_a_refund_in_our_words(changes: dict[str, Any], kind: type) -> None:
    asked = Money(2_500, "BRL")
    assert isinstance(mapping.refund(answer(GIVEN_BACK | changes), key=KEY, asked=asked, now=NOW), kind)


@pytest.mark.parametrize(
    ("status", "problem", "kind"),
    [
        (400, "CobOperacaoInvalida", Declined),
        (403, "AcessoNegado", Declined),
        (404, "CobNaoEncontrado", Declined),
        (404, "PaginaPerdida", Unknown),
        (404, "", Unknown),
        (400, "", Unknown),
        (410, "PermanentementeRemovido", Unknown),
        (401, "", NotSent),
        (429, "", NotSent),
        (500, "ErroInternoDoServidor", Unknown),
        (503, "ServicoIndisponivel", Unknown),
    ],
)
def test_a_refusal_in_our_words(status: int, problem: str, kind: type) -> None:
    body = {"type": f"https://pix.bcb.gov.br/api/v2/error/{problem}", "title": "No", "status": status}
    assert isinstance(mapping.refusal(answer(body if problem else b"<html>", status), now=NOW), kind)


def test_only_the_api_itself_says_that_something_is_not_there() -> None:
    assert mapping.is_not_found(answer({"type": "https://pix.bcb.gov.br/api/v2/error/PixNaoEncontrado"}, 404))
    assert not mapping.is_not_found(answer(b"<html>nothing here</html>", 404))


@given(status=st.integers(100, 599), body=st.binary(max_size=100))
def test_no_bytes_escape_as_an_exception(status: int, body: bytes) -> None:
    answered = answer(body, status)
    assert isinstance(mapping.refusal(answered, now=NOW), NotSent if status in {401, 429} else Unknown)
    assert isinstance(mapping.charge(answered, txid=KEY, asked=BRL_100, now=NOW), Unknown)
    assert isinstance(mapping.removal(answered, txid=KEY, asked=BRL_100, now=NOW), Unknown)
    assert isinstance(mapping.refund(answered, key=KEY, asked=BRL_100, now=NOW), Unknown)


@given(name=st.sampled_from([*sorted(CHARGE), "pix"]), value=json_values)
def test_no_value_in_a_charge_escapes_as_an_exception(name: str, value: Any) -> None:
    for base in (CHARGE, CHARGE | {"status": "CONCLUIDA", "pix": [RECEIVED]}):
        mapping.charge(answer(base | {name: value}), txid=KEY, asked=BRL_100, now=NOW)


@pytest.mark.parametrize(
    "text", ["1", "1.0", "1.000", "-1.00", "1,00", "\u0661.\u0660\u0660", "12345678901.00", " 1.00"]
)
def test_what_is_not_an_amount_is_not_read(text: str) -> None:
    assert from_valor(text) is None
