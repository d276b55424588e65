"""Every template can be read, extends what there is and fills only blocks that exist."""

from pathlib import Path

import pytest
from django.template.loader import get_template
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode

from tests.architecture.sources import ROOT

_TEMPLATES = ROOT / "templates"


def _names() -> list[str]:
    return sorted(str(path.relative_to(_TEMPLATES)) for path in _TEMPLATES.rglob("*.html"))


def _blocks(nodelist) -> set[str]:
    return {node.name for node in nodelist.get_nodes_by_type(BlockNode)}


def _parent(template) -> str | None:
    extends = template.template.nodelist.get_nodes_by_type(ExtendsNode)
    name = extends[0].parent_name.var if extends else None
    return name if isinstance(name, str) else None


def _offered(name: str | None) -> set[str]:
    offered: set[str] = set()
    while name:
        template = get_template(name)
        offered |= _blocks(template.template.nodelist)
        name = _parent(template)
    return offered


@pytest.mark.parametrize("name", _names())
def test_a_template_fills_only_blocks_that_its_parents_offer(name: str):
    template = get_template(name)
    if (parent := _parent(template)) is None:
        return
    extends = template.template.nodelist.get_nodes_by_type(ExtendsNode)[0]
    own = {block.name for block in extends.nodelist if isinstance(block, BlockNode)}
    assert own <= _offered(parent)


@pytest.mark.parametrize("name", _names())
def test_a_template_includes_only_templates_that_exist(name: str):
    for node in get_template(name).template.nodelist.get_nodes_by_type(IncludeNode):
        if isinstance(node.template.var, str):
            get_template(node.template.var)


def test_templates_stand_in_one_folder():
    beside = [path for package in ("paymentops", "ledger") for path in (ROOT / package).rglob("*.html")]
    assert [path for path in map(Path, beside) if "node_modules" not in path.parts] == []
