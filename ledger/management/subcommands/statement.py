"""Print one account's statement."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import OutputWrapper

from ledger import queries
from ledger.management.subcommands import moments
from ledger.queries import Position, Statement, StatementLine
from paymentops.core.money import Money

NAME: Final = "statement"
HELP: Final = "Print an account's posted lines with the balance after each, page by page."


def add_arguments(parser: ArgumentParser) -> None:
    """Take the account, the period, the page and the form of the answer."""
    parser.add_argument("account", help="for example 1110:sandbox")
    parser.add_argument("currency", help="ISO 4217")
    parser.add_argument("--from", dest="since", metavar="WHEN", help="first day or moment")
    parser.add_argument("--to", dest="until", metavar="WHEN", help="last day (to its end) or moment")
    parser.add_argument("--limit", type=int, default=50, help="the most lines; default 50")
    parser.add_argument("--newest-first", action="store_true", help="begin at the end of the period")
    parser.add_argument("--continue", dest="cursor", metavar="PLACE", help="go on behind a page, as the page says")
    parser.add_argument("--json", action="store_true", help="print one JSON object; amounts in minor units")
    moments.add_zone(parser)


def run(options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Print one page."""
    place = Position.parse(options["cursor"]) if options["cursor"] else None
    asked: dict[str, Any] = {
        "code": options["account"],
        "currency": options["currency"],
        "since": moments.begin(options, "since"),
        "until": moments.end(options, "until"),
        "limit": options["limit"],
    }
    if options["newest_first"]:
        page = queries.statement_newest_first(**asked, before=place)
    else:
        page = queries.statement(**asked, after=place)
    if options["json"]:
        out.write(json.dumps(_document(page), indent=2))
    else:
        _print(page, options, out)


def _print(page: Statement, options: Mapping[str, Any], out: OutputWrapper) -> None:
    out.write(
        f"{page.code}  opening {Money(page.opening, page.currency)}, closing {Money(page.closing, page.currency)}"
    )
    for line in page.lines:
        amount, balance = Money(line.amount, page.currency), Money(line.balance, page.currency)
        when = moments.shown(line.effective_at, options["zone"])
        unsealed = "" if line.sealed else "  not sealed yet"
        out.write(f"    {when}  {line.entry}  {amount!s:>18}  {balance!s:>18}  {line.description}{unsealed}")
    if page.more:
        out.write(f"There is more: --continue={page.more}")


def _document(page: Statement) -> dict[str, Any]:
    return {
        "account": page.code,
        "currency": page.currency,
        "opening": page.opening,
        "closing": page.closing,
        "lines": [_line(line) for line in page.lines],
        "more": str(page.more) if page.more else None,
    }


def _line(line: StatementLine) -> dict[str, Any]:
    return {
        "entry": line.entry,
        "effective_at": line.effective_at.isoformat(),
        "occurred_at": line.occurred_at.isoformat(),
        "recorded_at": line.recorded_at.isoformat(),
        "amount": line.amount,
        "balance": line.balance,
        "method": line.method,
        "description": line.description,
        "sealed": line.sealed,
    }
