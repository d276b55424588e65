"""A stand-in for a bank's API Pix: tokens, charges under ids of the caller, refunds, notifications.

What it keeps to, by the API Pix: a ``txid`` names one charge for ever, and a PUT on one that is no longer open is an
invalid operation; a refund's ``id`` is used once per received Pix; a refund ends later; all received Pix and refunds of
a moment can be told in one notification.
"""

import base64
import json
import re
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs

from paymentops.providers.contract import InboundWebhook
from tests.providers.fakes.server import Asked, FakeServer, Reply

CLIENT_ID, CLIENT_SECRET = "client-for-tests", "secret-for-tests"
PIX_KEY = "7d9f0335-8dcc-4054-9bf9-0dbd61d36906"
TOKEN = "token-of-the-address"
_TXID = re.compile(r"[a-zA-Z0-9]{26,35}")
_VALOR = re.compile(r"\d{1,10}\.\d{2}")


@dataclass
class Charge:
    """A charge and the Pix that were received for it."""

    txid: str
    valor: str
    made_at: datetime
    expires_seconds: int
    status: str = "ATIVA"
    received: list[dict[str, Any]] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        location = f"pix.example.com/qr/v2/{self.txid}"
        return {
            "calendario": {"criacao": _moment(self.made_at), "expiracao": self.expires_seconds},
            "txid": self.txid,
            "revisao": 0,
            "loc": {"id": 789, "location": location, "tipoCob": "cob"},
            "location": location,
            "status": self.status,
            "valor": {"original": self.valor, "modalidadeAlteracao": 0},
            "chave": PIX_KEY,
            "pixCopiaECola": f"00020101021226830014br.gov.bcb.pix2561{location}5204000053039865802BR6304ABCD",
            **({"pix": self.received} if self.received else {}),
        }


class PixServer(FakeServer):
    """Holds charges by their txid; ``settles_at_once`` makes refunds end with their first answer."""

    def __init__(self, *, settles_at_once: bool = True, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.charges: dict[str, Charge] = {}
        self.tokens: list[str] = []
        self.settles_at_once = settles_at_once
        self.token_seconds = 3600
        self.short_of_funds = False
        self._numbers = count(1)

    @property
    def api_base(self) -> str:
        return f"{self.url}/api/v2"

    @property
    def token_url(self) -> str:
        return f"{self.url}/oauth/token"

    def may_fail(self, asked: Asked) -> bool:
        return asked.method in {"PUT", "PATCH"}

    # --- what payers and the bank do -----------------------------------------------------------------------------

    def pay(self, txid: str, *, valor: str = "") -> dict[str, Any]:
        """Let a payer pay a charge; return the received Pix."""
        charge = self.charges[txid]
        received = {
            "endToEndId": f"E12345678{datetime.now(UTC):%Y%m%d%H%M}s{next(self._numbers):010d}",
            "txid": txid,
            "valor": valor or charge.valor,
            "chave": PIX_KEY,
            "horario": _moment(datetime.now(UTC)),
        }
        charge.received.append(received)
        charge.status = "CONCLUIDA"
        return received

    def expire(self, txid: str) -> None:
        """Let the time of a charge be over."""
        charge = self.charges[txid]
        charge.made_at -= timedelta(seconds=charge.expires_seconds + 120)

    def settle_refunds(self) -> None:
        """Let every refund on its way end."""
        for received in self.received():
            for refund in received.get("devolucoes", []):
                self._settle(refund)

    def received(self) -> list[dict[str, Any]]:
        return [received for charge in self.charges.values() for received in charge.received]

    # --- what callers ask ----------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/oauth/token":
            return self._give_token(asked)
        if asked.headers.get("authorization") not in {f"Bearer {token}" for token in self.tokens}:
            return problem(401, "AcessoNegado", "The token is not valid.")
        match asked.path.removeprefix("/api/v2/").split("/"):
            case ["cob", txid]:
                return self._charge(asked, txid)
            case ["pix", end_to_end_id, "devolucao", refund_id]:
                return self._refund(asked, end_to_end_id, refund_id)
            case _:
                return problem(404, "NaoEncontrado", "There is nothing here.")

    def _give_token(self, asked: Asked) -> Reply:
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        form = parse_qs(asked.body.decode())
        if asked.headers.get("authorization") != f"Basic {pair}" or form.get("grant_type") != ["client_credentials"]:
            return Reply(401, {"error": "invalid_client"})
        self.tokens.append(f"token-{next(self._numbers)}")
        return Reply(200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.token_seconds})

    def _charge(self, asked: Asked, txid: str) -> Reply:
        charge = self.charges.get(txid)
        if asked.method == "PUT":
            return self._create(asked, txid, charge)
        if charge is None:
            return problem(404, "CobNaoEncontrado", "There is no such charge.")
        if asked.method == "PATCH":
            if charge.status != "ATIVA":
                return problem(400, "CobOperacaoInvalida", "The charge is not open.")
            charge.status = asked.json()["status"]
        return Reply(200, charge.body())

    def _create(self, asked: Asked, txid: str, charge: Charge | None) -> Reply:
        document = asked.json()
        valor = document["valor"]["original"]
        if not _TXID.fullmatch(txid) or not _VALOR.fullmatch(valor) or document["chave"] != PIX_KEY:
            return problem(400, "CobOperacaoInvalida", "The charge is not valid.")
        if charge is not None and charge.status != "ATIVA":
            return problem(400, "CobOperacaoInvalida", "The charge exists and is not open.")
        if charge is None:
            seconds = document["calendario"]["expiracao"]
            charge = Charge(txid=txid, valor=valor, made_at=datetime.now(UTC), expires_seconds=seconds)
            self.charges[txid] = charge
        return Reply(201, charge.body())

    def _refund(self, asked: Asked, end_to_end_id: str, refund_id: str) -> Reply:
        found = [received for received in self.received() if received["endToEndId"] == end_to_end_id]
        if not found:
            return problem(404, "PixNaoEncontrado", "There is no such Pix.")
        refunds = found[0].setdefault("devolucoes", [])
        known = [refund for refund in refunds if refund["id"] == refund_id]
        if asked.method == "GET":
            return Reply(200, known[0]) if known else problem(404, "PixDevolucaoNaoEncontrada", "No such refund.")
        valor = asked.json()["valor"]
        given = sum(_cents(refund["valor"]) for refund in refunds if refund["status"] != "NAO_REALIZADO")
        if known or given + _cents(valor) > _cents(found[0]["valor"]):
            return problem(400, "PixDevolucaoInvalida", "The id was used, or more than was received is asked for.")
        refund = {
            "id": refund_id,
            "rtrId": f"D12345678{next(self._numbers):023d}",
            "valor": valor,
            "natureza": "ORIGINAL",
            "horario": {"solicitacao": _moment(datetime.now(UTC))},
            "status": "EM_PROCESSAMENTO",
        }
        refunds.append(refund)
        if self.settles_at_once:
            self._settle(refund)
        return Reply(201, refund)

    def _settle(self, refund: dict[str, Any]) -> None:
        refund["horario"]["liquidacao"] = _moment(datetime.now(UTC))
        refund["status"] = "NAO_REALIZADO" if self.short_of_funds else "DEVOLVIDO"
        if self.short_of_funds:
            refund["motivo"] = "Saldo insuficiente"


def notification(*received: dict[str, Any], token: str = TOKEN) -> InboundWebhook:
    """Return a request that tells of received Pix and their refunds."""
    body = json.dumps({"pix": list(received)}).encode()
    return InboundWebhook(body=body, headers={}, query={"token": token, "end": "/pix"})


def problem(status: int, kind: str, detail: str) -> Reply:
    document = {
        "type": f"https://pix.bcb.gov.br/api/v2/error/{kind}",
        "title": kind,
        "status": status,
        "detail": detail,
    }
    return Reply(status, document, {"Content-Type": "application/problem+json"})


def _cents(valor: str) -> int:
    return int(valor.replace(".", ""))


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
