"""What is kept in the repository: no secret, no path of somebody's machine."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

_NEVER = {
    "the path of a machine": re.compile(r"/home/[a-z]|/Users/[A-Za-z]|/root/|(?<![\w.])/work/"),
    "a live key of Stripe": re.compile(r"\b[sr]k_live_[0-9A-Za-z]{8}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "a key of a cloud": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "an unfinished thought": re.compile(r"\b(TODO|FIXME|HACK)\b"),
    "a breakpoint": re.compile(r"\bbreakpoint\(\)|\bset_trace\("),
}
_LARGEST_BYTES = 1024 * 1024


def _kept() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in files if path.is_file()]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
@pytest.mark.parametrize("what", _NEVER)
def test_no_kept_file_holds(what: str):
    this = Path(__file__).resolve()
    holding = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in _kept()
        if path != this and path.name != "uv.lock" and "static" not in path.parts
        if (found := _NEVER[what].search(path.read_text(errors="ignore")))
    ]
    assert holding == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_no_kept_file_is_large():
    assert [str(path.relative_to(ROOT)) for path in _kept() if path.stat().st_size > _LARGEST_BYTES] == []


def test_every_dependency_is_locked_without_naming_a_mirror():
    hosts = set(re.findall(r'registry = "https?://([^/"]+)', (ROOT / "uv.lock").read_text()))
    assert hosts <= {"pypi.org"}
