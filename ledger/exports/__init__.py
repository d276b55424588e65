"""What leaves the ledger as a file: CSV for spreadsheets and a journal for beancount.

A door calls one function of ``downloads`` and streams what it returns::

    download = exports.statement(taking=Taking(by=actor, now=now), code="2020", currency="EUR", period=Period())
    StreamingHttpResponse(download.chunks, content_type=download.content_type)
"""

from ledger.exports.downloads import Taking, beancount_journal, journal, statement, trial_balance
from ledger.exports.reading import Period
from ledger.operations import AccountNotFound

__all__ = ["AccountNotFound", "Period", "Taking", "beancount_journal", "journal", "statement", "trial_balance"]
