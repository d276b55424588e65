"""A load generator that costs little: blocking sockets, kept open, one request at a time on each.

A comfortable HTTP client would take more of the two shared cores than the server does.
"""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from paymentops.bench import parallel
from paymentops.bench.measuring import Sample
from paymentops.bench.parallel import BenchFailed, Lane

_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, ready to be sent."""

    raw: bytes

    @classmethod
    def post(cls, *, url: str, path: str, secret: str, body: bytes, key: str = "") -> "Request":
        """Build a POST of JSON with an API key and, where given, an idempotency key."""
        head = [
            f"POST {path} HTTP/1.1",
            f"Host: {urlsplit(url).netloc}",
            f"Authorization: Api-Key {secret}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        if key:
            head.append(f"Idempotency-Key: {key}")
        return cls("\r\n".join(head).encode() + _HEAD_END + body)


@dataclass(frozen=True, slots=True)
class Load:
    """Which requests go over which connections: processes times connections lists of requests."""

    url: str
    per_process: Sequence[Sequence[Sequence[Request]]]
    expected_status: int


def spread(requests: Sequence[Request], *, processes: int, connections: int) -> list[list[list[Request]]]:
    """Deal requests out evenly to ``connections`` in each of ``processes``."""
    lanes = [list(requests[n :: processes * connections]) for n in range(processes * connections)]
    return [lanes[n * connections : (n + 1) * connections] for n in range(processes)]


def run(load: Load) -> Sample:
    """Send everything; the clock runs from the first request to the last answer.

    Raises:
        BenchFailed: any answer has another status than expected.
    """
    return parallel.measure([partial(_open, load, lanes) for lanes in load.per_process])


def open_paced(*, url: str, lanes: Sequence[Sequence[tuple[float, Request]]], expected_status: int) -> list[Lane]:
    """Open one connection per lane; each sends its requests at their seconds since the common start, or when it can."""
    address = urlsplit(url)
    sockets = [socket.create_connection((address.hostname, address.port), timeout=60) for _ in lanes]
    return [
        partial(_paced_lane, connection, requests, expected_status=expected_status)
        for connection, requests in zip(sockets, lanes, strict=True)
    ]


def _open(load: Load, lanes: Sequence[Sequence[Request]]) -> list[Lane]:
    address = urlsplit(load.url)
    sockets = [socket.create_connection((address.hostname, address.port), timeout=60) for _ in lanes]
    return [
        partial(_lane, connection, requests, expected_status=load.expected_status)
        for connection, requests in zip(sockets, lanes, strict=True)
    ]


def _lane(connection: socket.socket, requests: Sequence[Request], *, expected_status: int) -> list[float]:
    """Send one connection's requests one after the other; return the seconds each took."""
    latencies = []
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for request in requests:
        started = time.perf_counter()
        connection.sendall(request.raw)
        status, body = _answer(connection)
        if status != expected_status:
            raise BenchFailed(f"expected {expected_status}, got {status}: {body[:300]!r}")
        latencies.append(time.perf_counter() - started)
    return latencies


def _paced_lane(
    connection: socket.socket, requests: Sequence[tuple[float, Request]], *, expected_status: int
) -> list[float]:
    started = time.perf_counter()
    latencies = []
    for due, request in requests:
        time.sleep(max(0.0, started + due - time.perf_counter()))
        latencies += _lane(connection, [request], expected_status=expected_status)
    return latencies


def _answer(connection: socket.socket) -> tuple[int, bytes]:
    received = connection.recv(65536)
    while _HEAD_END not in received:
        received += _more(connection)
    head, _, body = received.partition(_HEAD_END)
    length = _content_length(head)
    while len(body) < length:
        body += _more(connection)
    return int(head[9:12]), body


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise BenchFailed("The server closed the connection.")
    return piece


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise BenchFailed(f"The answer has no Content-Length: {head[:200]!r}")
