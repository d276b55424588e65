"""Run the sandbox provider: ``python -m paymentops.providers.sandbox --port 8701 --data-dir DIR``.

Environment: ``PAYMENTOPS_SANDBOX_API_KEY`` (required), ``PAYMENTOPS_SANDBOX_WEBHOOK_URL`` (no notifications are sent
without it) and ``PAYMENTOPS_SANDBOX_WEBHOOK_SECRET``. One process, loopback only.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from paymentops.providers.sandbox.app import Sandbox
from paymentops.providers.sandbox.notices import Destination

_HOST = "127.0.0.1"


def main() -> None:
    """Read the arguments and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m paymentops.providers.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    arguments = parser.parse_args()
    api_key = os.environ.get("PAYMENTOPS_SANDBOX_API_KEY", "")
    if not api_key:
        sys.exit("Set PAYMENTOPS_SANDBOX_API_KEY: the sandbox answers nobody without a key.")
    _refuse_taken_port(arguments.port)
    destination = Destination(
        url=os.environ.get("PAYMENTOPS_SANDBOX_WEBHOOK_URL", ""),
        secret=os.environ.get("PAYMENTOPS_SANDBOX_WEBHOOK_SECRET", ""),
    )
    asyncio.run(_serve(port=arguments.port, folder=arguments.data_dir / "sandbox", api_key=api_key, to=destination))


async def _serve(*, port: int, folder: Path, api_key: str, to: Destination) -> None:
    application = Sandbox(folder=folder, api_key=api_key, destination=to).application()
    server = Server(
        application, address=_HOST, port=port, interface=Interfaces.ASGI, backlog=1024, log_level=LogLevels.error
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve()


def _refuse_taken_port(port: int) -> None:
    """End with a clear sentence where something listens already; the server itself would silently share the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            sys.exit(f"The sandbox cannot listen on {_HOST}:{port}: {error.strerror}.")


if __name__ == "__main__":
    main()
