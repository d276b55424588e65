"""HTTP to a payment service provider's API Pix: an access token, then requests with it.

A token is kept until shortly before it expires. Asking for one moves no money, so whatever goes wrong there proves
that the request itself never left.
"""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from paymentops.providers.transport import Answer, Interrupted, NotConnected, Transport

# Renewed this long before it ends, so that it still counts when the request arrives.
_MARGIN_SECONDS: Final = 30.0
_SHORTEST_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to get an access token (OAuth 2.0 client credentials, RFC 6749, section 4.4)."""

    token_url: str
    client_id: str
    client_secret: str
    scope: str


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    ends_at: float


class PixClient:
    """Sends requests to one API Pix. ``monotonic`` is the clock, in seconds, by which tokens and deadlines count."""

    def __init__(
        self, *, url: str, credentials: Credentials, transport: Transport, monotonic: Callable[[], float]
    ) -> None:
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._transport = transport
        self._monotonic = monotonic
        self._token: _Token | None = None
        self._renewing = threading.Lock()

    def send(self, *, method: str, path: str, document: Mapping[str, Any] | None, ends_at: float) -> Answer:
        """Send one request, done by ``ends_at``; a refused token is forgotten, and the next request asks anew.

        Raises:
            NotConnected: it provably never left, also because no token could be had.
            Interrupted: it may have left, and no whole answer came back.
        """
        token = self._current(ends_at=ends_at)
        headers = {"Authorization": f"Bearer {token.text}", "Accept": "application/json"}
        if document is not None:
            headers["Content-Type"] = "application/json"
        left = ends_at - self._monotonic()
        if left <= 0:
            raise NotConnected("no time was left after asking for a token")
        answer = self._transport.exchange(
            method=method,
            url=f"{self._url}{path}",
            headers=headers,
            content=b"" if document is None else json.dumps(document).encode(),
            seconds=left,
        )
        if answer.status == 401 and self._token is token:
            self._token = None
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _current(self, *, ends_at: float) -> _Token:
        # One thread asks for all; the others wait no longer than their own deadline.
        if not self._renewing.acquire(timeout=max(0.0, ends_at - self._monotonic())):
            raise NotConnected("another request is still asking for a token")
        try:
            if self._token is None or self._monotonic() >= self._token.ends_at:
                self._token = self._ask(seconds=ends_at - self._monotonic())
            return self._token
        finally:
            self._renewing.release()

    def _ask(self, *, seconds: float) -> _Token:
        asked_at = self._monotonic()
        pair = f"{self._credentials.client_id}:{self._credentials.client_secret}".encode()
        form = {"grant_type": "client_credentials", "scope": self._credentials.scope}
        try:
            answer = self._transport.exchange(
                method="POST",
                url=self._credentials.token_url,
                headers={
                    "Authorization": f"Basic {base64.b64encode(pair).decode()}",
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                },
                content=urlencode(form).encode(),
                seconds=seconds,
            )
        except Interrupted as error:
            raise NotConnected(f"no access token: {error}") from error
        return _read_token(answer, asked_at=asked_at)


def cob_path(txid: str) -> str:
    """Return the path of an immediate charge."""
    return f"/cob/{quote(txid, safe='')}"


def devolucao_path(end_to_end_id: str, devolucao_id: str) -> str:
    """Return the path of one refund of a received Pix."""
    return f"/pix/{quote(end_to_end_id, safe='')}/devolucao/{quote(devolucao_id, safe='')}"


def _read_token(answer: Answer, *, asked_at: float) -> _Token:
    try:
        document = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        document = None
    text = document.get("access_token") if isinstance(document, dict) else None
    lasts = document.get("expires_in") if isinstance(document, dict) else None
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not text:
        raise NotConnected(f"no access token: the answer was {answer.status}")
    seconds = lasts if isinstance(lasts, int) and not isinstance(lasts, bool) else 0
    return _Token(text=text, ends_at=asked_at + max(seconds - _MARGIN_SECONDS, _SHORTEST_SECONDS))
