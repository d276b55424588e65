"""Rooms use the same file words, and files stay short enough to be read whole."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, modules, shown, tree

_WORDS_THAT_SAY_NOTHING = {"utils", "helpers", "services", "signals", "constants", "exceptions", "common", "misc"}
_LONGEST_FILE = 420
_LONGEST_TEST_FILE = 500
_LONGEST_FUNCTION = 70
_MOST_UNNAMED = 3


def test_no_module_is_named_after_nothing():
    assert [shown(path) for path in modules() if {path.stem, path.parent.name} & _WORDS_THAT_SAY_NOTHING] == []


def test_no_file_is_longer_than_can_be_read_whole():
    assert _longer_than(_LONGEST_FILE, modules()) == {}
    assert _longer_than(_LONGEST_TEST_FILE, (ROOT / "tests").rglob("*.py")) == {}


def test_no_function_is_longer_than_a_page():
    long = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= _LONGEST_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize("path", list(modules()), ids=shown)
def test_public_operations_and_queries_name_all_but_what_they_are_about(path: Path):
    """``ledger.post(entry, now=now)``: the thing itself may stand first, everything else is said by name."""
    if not {"operations", "queries"} & {path.stem, path.parent.name}:
        return
    positional = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and len(node.args.args) + len(node.args.posonlyargs) > _MOST_UNNAMED
    ]
    assert positional == []


def _longer_than(most: int, paths: Iterable[Path]) -> dict[str, int]:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in paths}
    return {name: length for name, length in lengths.items() if length > most}
