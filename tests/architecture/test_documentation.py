"""Every code a caller may meet is explained, and the documents speak of nothing that is not there."""

import ast
import re

import pytest
from django.core.management import get_commands

from tests.architecture.sources import ROOT, modules, tree

_CODE = re.compile(r"[a-z]+\.[a-z_]+")
# Not codes of this API: a room's file, a provider's field.
_ROOMS = {
    "access", "casework", "events", "id", "idempotency", "incident", "ledger", "local", "money", "payment", "provider",
    "reconciliation", "request", "resource", "service", "statement", "webhook",
}  # fmt: skip
_DOCUMENTS = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def _codes_of_error_classes() -> set[str]:
    """Return what ``code = "…"`` says in a class body that also says ``title`` or derives from another error."""
    return {
        statement.value.value
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        and [target.id for target in statement.targets if isinstance(target, ast.Name)] == ["code"]
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    }


def _codes_of_the_door() -> set[str]:
    """Return the codes that ``core.api`` gives to refusals of the framework."""
    texts = [
        node.value
        for node in ast.walk(tree(ROOT / "paymentops" / "core" / "api.py"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value)
    ]
    return {text for text in texts if text.partition(".")[0] in _ROOMS}


def _documented_codes() -> set[str]:
    tables = [line for line in (ROOT / "docs" / "api.md").read_text().splitlines() if line.startswith("|")]
    found = {code for line in tables for code in re.findall(r"`([a-z]+\.[a-z_]+)`", line)}
    return {code for code in found if code.partition(".")[0] in _ROOMS}


def test_every_code_of_a_refusal_is_documented():
    codes = {code for code in _codes_of_error_classes() if _CODE.fullmatch(code)}
    assert codes
    assert sorted((codes | _codes_of_the_door()) - _documented_codes()) == []


def test_no_code_is_documented_that_does_not_exist():
    assert sorted(_documented_codes() - _codes_of_error_classes() - _codes_of_the_door()) == []


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_documents_link_to_files_that_exist(name: str):
    document = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_documents_name_commands_that_exist(name: str):
    named = set(re.findall(r"manage\.py (\w+)", (ROOT / name).read_text()))
    assert named <= set(get_commands())
