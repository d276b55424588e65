"""A small HTTP server inside the test that keeps what arrives, for webhooks."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from paymentops.providers.contract import InboundWebhook


class Receiver:
    """Collects notifications; ``status`` is what it answers next."""

    def __init__(self) -> None:
        self.received: list[InboundWebhook] = []
        self.answers: list[int] = []
        self.url = ""

    def wait_for(self, enough: Callable[[list[InboundWebhook]], bool], *, seconds: float = 10) -> list[InboundWebhook]:
        give_up = time.monotonic() + seconds
        while not enough(self.received):
            if time.monotonic() > give_up:
                raise AssertionError(f"Only {len(self.received)} notifications arrived.")
            time.sleep(0.02)
        return list(self.received)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(InboundWebhook(body=body, headers=headers))
            self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
