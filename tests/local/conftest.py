import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A short folder: pytest's own are too deep for the unix socket of a database."""
    yield from _short_folder()


@pytest.fixture
def other_data_dir() -> Iterator[Path]:
    yield from _short_folder()


def _short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="po", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
