"""The chart of accounts as a tree."""

from collections.abc import Iterator

import pytest

from ledger import chart
from ledger.chart import Branch


def walk(branches: tuple[Branch, ...]) -> Iterator[Branch]:
    for branch in branches:
        yield branch
        yield from walk(branch.branches)


def test_the_tree_begins_with_what_an_account_is() -> None:
    assert [(branch.code, branch.name) for branch in chart.tree()] == [
        ("1", "assets"),
        ("2", "liabilities"),
        ("4", "income"),
        ("5", "expenses"),
    ]


def test_every_line_of_the_chart_stands_in_the_tree_once_under_its_digits() -> None:
    lines = [branch for branch in walk(chart.tree()) if branch.line is not None]
    assert [branch.code for branch in lines] == list(chart.CHART)
    for branch in walk(chart.tree()):
        assert all(below.code.startswith(branch.code) for below in branch.branches)


def test_receivables_hold_the_provider_accounts_in_use() -> None:
    assets = chart.tree(["1110:stripe", "1120:sandbox", "1110:sandbox", "2020"])[0]
    receivables = next(branch for branch in assets.branches if branch.code == "11")
    assert receivables.name == "receivables"
    first = receivables.branches[0]
    assert (first.code, first.name) == ("1110", "provider_receivable")
    assert [(leaf.code, leaf.name) for leaf in first.branches] == [
        ("1110:sandbox", "sandbox"),
        ("1110:stripe", "stripe"),
    ]


def test_an_account_without_a_part_is_its_line() -> None:
    assert [branch.code for branch in walk(chart.tree(["2020"]))] == [branch.code for branch in walk(chart.tree())]


@pytest.mark.parametrize(
    ("code", "path"),
    [("1110:sandbox", ("1", "11", "1110", "1110:sandbox")), ("2020", ("2", "20", "2020"))],
)
def test_a_path_leads_from_the_root_to_an_account(code: str, path: tuple[str, ...]) -> None:
    assert chart.path(code) == path
    assert set(path) <= {branch.code for branch in walk(chart.tree([code]))}


def test_a_code_outside_the_chart_has_no_place() -> None:
    with pytest.raises(chart.UnknownAccount):
        chart.tree(["1110"])
    with pytest.raises(chart.UnknownAccount):
        chart.path("3000")
