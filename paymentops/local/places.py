"""Where the local system keeps its things, and how a second terminal finds them.

Everything lives under one data directory: the embedded PostgreSQL cluster (and its socket), the folders of the
file-based broker, the sandbox provider's store and the generated local secrets.
"""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

EMBEDDED_DATABASE: Final = "paymentops"


def default_data_dir() -> Path:
    """Return the data directory used when nobody names one.

    As root it is a folder whose parents are readable by everybody already, because the PostgreSQL wheel opens the
    parent folders of its cluster for reading when root starts it.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/paymentops")
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "paymentops"


def cluster_dir(data_dir: Path) -> Path:
    """Return the folder of the embedded PostgreSQL cluster; its unix socket lies in it."""
    return data_dir / "pg"


def embedded_database_url(data_dir: Path) -> str:
    """Return the address of the embedded database, which exists once ``manage.py up`` has run there."""
    return f"postgresql://postgres@{quote(str(cluster_dir(data_dir)), safe='')}/{EMBEDDED_DATABASE}"


def filesystem_broker_options(data_dir: Path) -> dict[str, Any]:
    """Return kombu's options for a broker made of files, for which nothing has to be installed."""
    folder = data_dir / "broker"
    messages = folder / "messages"
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.05,
    }


def local_secret(data_dir: Path, name: str, environment: str) -> str:
    """Return a secret of the local system, made on first use and kept in the data directory (mode 0600).

    Raises:
        RuntimeError: outside the local environment, where secrets must come from the environment.
    """
    if environment != "local":
        raise RuntimeError(f"Set the secret {name!r} in the environment; see .env.example.")
    folder = data_dir / "secrets"
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()


def kept_secret(data_dir: Path, name: str) -> str:
    """Return a secret that was kept in the data directory, or an empty string."""
    try:
        return (data_dir / "secrets" / name).read_text().strip()
    except FileNotFoundError:
        return ""


def keep_secret(data_dir: Path, name: str, value: str) -> str:
    """Keep a secret in the data directory, readable by its owner only (mode 0600), and return it.

    It replaces what was kept under that name; a reader sees the old one or the new one.
    """
    path = data_dir / "secrets" / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f"{name}.new")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(value)
    new.replace(path)
    return value


def short_name(data_dir: Path) -> str:
    """Return eight stable characters that tell one data directory from another."""
    return hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:8]
