"""One HTTP exchange that ends by its deadline and knows whether the request may have left this machine.

Timeouts of an HTTP client count per read, so a server that drips one byte at a time can hold a call for ever. Here
every read, write and handshake gets what is left of one total budget.
"""

import ssl
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, override

import httpcore

from paymentops.providers.outside import require_no_transaction

# An answer of a payment provider is a few kilobytes; whatever is larger is not one.
_LARGEST_ANSWER: Final = 1024 * 1024
_ends_at: ContextVar[float] = ContextVar("ends_at")


class NotConnected(Exception):
    """No connection was made, so the request cannot have been executed."""


class Interrupted(Exception):
    """The request may have left this machine, and no whole answer came back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """A pool of connections to one provider, safe between threads; one per process (never carried over a fork).

    ``tls`` replaces the trusted roots, for example where the provider wants a certificate of ours.
    """

    def __init__(self, *, connections: int = 32, tls: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or httpcore.default_ssl_context(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=20,
            network_backend=_DeadlineBackend(),
        )

    def exchange(self, *, method: str, url: str, headers: Mapping[str, str], content: bytes, seconds: float) -> Answer:
        """Send one request and read its answer within ``seconds`` altogether.

        Every adapter's every call goes through here: also one that somebody adds and forgets to guard.

        Raises:
            CallInTransaction: a transaction is open.
            NotConnected: DNS, refused connection, TLS, no free connection in time: proven not executed.
            Interrupted: anything after that: a timeout, a reset, a broken or oversized answer.
        """
        require_no_transaction()
        token = _ends_at.set(time.monotonic() + seconds)
        try:
            return self._exchange(method=method, url=url, headers=headers, content=content, seconds=seconds)
        except (
            httpcore.ConnectError,
            httpcore.ConnectTimeout,
            httpcore.PoolTimeout,
            httpcore.UnsupportedProtocol,
        ) as error:
            raise NotConnected(_describe(error)) from error
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise Interrupted(_describe(error)) from error
        finally:
            _ends_at.reset(token)

    def _exchange(self, *, method: str, url: str, headers: Mapping[str, str], content: bytes, seconds: float) -> Answer:
        timeouts = {"pool": seconds, "connect": seconds, "read": seconds, "write": seconds}
        with self._pool.stream(
            method, url, headers=list(headers.items()), content=content, extensions={"timeout": timeouts}
        ) as response:
            body = bytearray()
            for chunk in response.iter_stream():
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    raise Interrupted("the answer is larger than 1 MiB")
            names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(status=response.status, headers=names, body=bytes(body))

    def close(self) -> None:
        """Close all connections of the pool."""
        self._pool.close()


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _left(ended: type[httpcore.TimeoutException]) -> float:
    """Return the seconds left of the whole exchange, or raise ``ended`` when there are none."""
    left = _ends_at.get() - time.monotonic()
    if left <= 0:
        raise ended("the call's deadline has passed")
    return left


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose every step gets only what is left of the exchange it serves at that moment."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(httpcore.ReadTimeout))

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(httpcore.WriteTimeout))

    @override
    def close(self) -> None:
        self._inner.close()

    @override
    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._inner.start_tls(ssl_context, server_hostname, _left(httpcore.ConnectTimeout)))

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _DeadlineBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(host, port, _left(httpcore.ConnectTimeout), local_address, socket_options)
        return _DeadlineStream(stream)
