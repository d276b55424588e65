"""Only the ledger writes ledger tables: others read its models, and post through its operations."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import modules, room, shown, tree

_WRITES = {
    "acreate", "adelete", "asave", "aupdate", "bulk_create", "bulk_update", "create", "delete", "get_or_create", "save",
    "select_for_update", "update", "update_or_create",
}  # fmt: skip
_SQL_THAT_WRITES = re.compile(
    r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(\s+TABLE)?|COPY|ALTER\s+TABLE)\s+\"?ledger_", re.IGNORECASE
)
# The bench writes the rows of a million settled payments straight in; it never runs where money is real.
_MAY_FILL = {"paymentops/bench/filling.py"}


def _strangers() -> list[Path]:
    return [path for path in modules() if room(path) != "ledger"]


def _ledger_models(module: ast.Module) -> set[str]:
    """Return the names under which a module knows the ledger's models."""
    imports = [node for node in ast.walk(module) if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name
        for node in imports
        if node.module == "ledger.models" or (node.module == "ledger" and _imports_models(node))
        for alias in node.names
    }


def _imports_models(node: ast.ImportFrom) -> bool:
    return any(alias.name == "models" for alias in node.names)


def _writes_through(module: ast.Module, names: set[str]) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _WRITES:
            used = {inner.id for inner in ast.walk(node.func) if isinstance(inner, ast.Name)}
            if used & names:
                yield f"line {node.lineno}: {ast.unparse(node.func)}"


@pytest.mark.parametrize("path", _strangers(), ids=shown)
def test_nobody_else_writes_through_the_ledgers_models(path: Path):
    module = tree(path)
    assert list(_writes_through(module, _ledger_models(module))) == []


@pytest.mark.parametrize("path", _strangers(), ids=shown)
def test_nobody_else_writes_ledger_tables_in_sql(path: Path):
    if shown(path) not in _MAY_FILL:
        assert _SQL_THAT_WRITES.search(path.read_text()) is None


def test_a_write_would_be_noticed():
    module = ast.parse("from ledger.models import Entry as E\nE.objects.filter(pk=1).update(state='POSTED')")
    assert list(_writes_through(module, _ledger_models(module))) == [
        "line 2: E.objects.filter(pk=1).update",
    ]
