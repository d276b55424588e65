import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from paymentops.providers.transport import Interrupted, NotConnected, Transport
from tests.plugins.processes import free_port


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen once and let ``answer`` speak to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()


def get(transport: Transport, url: str, *, seconds: float = 5) -> bytes:
    return transport.exchange(method="GET", url=url, headers={}, content=b"", seconds=seconds).body


def drip(part: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        try:
            for _ in range(200):
                connection.sendall(part)
                time.sleep(0.05)
        except OSError:
            return

    return answer


@pytest.mark.parametrize("part", [b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nx", b"HTTP/1.1 200 OK\r\nX: y\r\nX"])
def test_a_slow_drip_ends_by_the_deadline_in_the_body_and_in_the_head(transport: Transport, part: bytes) -> None:
    begun = time.monotonic()
    with answering(drip(part)) as url, pytest.raises(Interrupted):
        get(transport, url, seconds=0.3)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1100000\r\n\r\n" + b"x" * 1_100_000,
    ],
)
def test_a_broken_or_endless_answer_may_have_had_an_effect(transport: Transport, answer: bytes) -> None:
    def send(connection: socket.socket) -> None:
        try:
            connection.sendall(answer)
        except OSError:
            return

    with answering(send) as url, pytest.raises(Interrupted):
        get(transport, url)


def test_a_refused_connection_proves_that_nothing_was_sent(transport: Transport) -> None:
    with pytest.raises(NotConnected):
        get(transport, f"http://127.0.0.1:{free_port()}/")


def test_a_whole_answer_is_returned(transport: Transport) -> None:
    with answering(lambda to: to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as url:
        assert get(transport, url) == b"ok"
