"""What every stand-in for a provider shares: a real HTTP server on loopback that can break on purpose.

A subclass answers requests from a state of its own. The next faults are taken from ``faults``, one per request that the
subclass lets fail.
"""

import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Fault(StrEnum):
    """How a request fails. ``AFTER`` means that it had its effect before."""

    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    SILENCE_AFTER = "silence_after"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    GARBAGE_AFTER = "garbage_after"


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What to answer."""

    status: int
    document: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeServer:
    """Serves until it is closed; requests are answered one at a time, so the state needs no locks of its own."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self._one_at_a_time = threading.Lock()
        self._closed = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server._serve(self, Asked(method=self.command, path=self.path, headers=headers, body=body))

            do_GET = do_POST = do_PUT = do_PATCH = _handle  # noqa: N815 - the names http.server calls

            def log_message(self, *_: object) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, asked: Asked) -> Reply:
        """Carry a request out."""
        raise NotImplementedError

    def may_fail(self, asked: Asked) -> bool:
        """Tell whether the next fault is meant for this request: those with an effect by default."""
        return asked.method != "GET"

    def _serve(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        with self._one_at_a_time:
            self.asked.append(asked)
            fault = self.faults.pop(0) if self.faults and self.may_fail(asked) else None
            has_effect = fault not in {Fault.RESET_BEFORE, Fault.ERROR_BEFORE}
            reply = self.answer(asked) if has_effect else Reply(500, None)
        if fault is Fault.SILENCE_AFTER:
            self._closed.wait(timeout=20)
        if fault in {Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.SILENCE_AFTER}:
            handler.close_connection = True
        elif fault in {Fault.ERROR_BEFORE, Fault.ERROR_AFTER}:
            _write(handler, 500, b"<html>500</html>", {})
        elif fault is Fault.GARBAGE_AFTER:
            _write(handler, reply.status, b'{"cut off": ', reply.headers)
        else:
            _write(handler, reply.status, json.dumps(reply.document).encode(), reply.headers)


def _write(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
