"""The HTTP client given to Stripe's SDK, so that every call of it ends by our deadline and says what it proves."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, override

import stripe

from paymentops.providers.transport import Answer, Interrupted, NotConnected, Transport

_ends_at: ContextVar[float] = ContextVar("stripe_ends_at")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let all calls of the SDK inside the block take ``seconds`` altogether."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


class DeadlineClient(stripe.HTTPClient):
    """Sends the SDK's requests. An error's ``__cause__`` is ``NotConnected`` or ``Interrupted``."""

    name = "paymentops"

    def __init__(self) -> None:
        super().__init__()
        self._transport = Transport()

    @override
    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send one request; outside of ``within`` this is a programming error."""
        try:
            answer = self._transport.exchange(
                method=method.upper(),
                url=url,
                headers={name: str(value) for name, value in (headers or {}).items()},
                content=(post_data or "").encode(),
                seconds=_ends_at.get() - time.monotonic(),
            )
            return _readable(answer), answer.status, answer.headers
        except (NotConnected, Interrupted) as error:
            raise stripe.APIConnectionError(str(error), should_retry=False) from error  # type: ignore[no-untyped-call]

    @override
    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _readable(answer: Answer) -> str:
    """Return the body as text; what the SDK could stumble over counts as a broken answer."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise Interrupted(f"http_{answer.status}: the answer is not JSON") from error
    is_error = not 200 <= answer.status < 300
    if not isinstance(document, dict) or (is_error and not isinstance(document.get("error"), dict)):
        raise Interrupted(f"http_{answer.status}: the answer is not one of Stripe's")
    return answer.body.decode(errors="replace")
