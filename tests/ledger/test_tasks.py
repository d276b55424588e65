"""The workers' door of the ledger."""

from uuid import uuid4

import pytest
from django.core.files.storage import storages

from ledger import postings, tasks
from ledger.models import ChainLink, ChainRoot, FoldedBalance
from tests.ledger.books import PARTIES, eur, post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sales(db, settings, tmp_path) -> None:
    roots = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "ledger_roots": roots}
    for _ in range(3):
        post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(100)))


def test_sealing_takes_the_days_root_once_however_often_it_runs() -> None:
    tasks.seal()
    tasks.seal()
    assert (ChainLink.objects.count(), ChainRoot.objects.count()) == (3, 1)


def test_a_root_leaves_the_database_as_a_file() -> None:
    tasks.seal()
    tasks.export_roots()
    tasks.export_roots()
    root = ChainRoot.objects.get()
    assert root.exported_at is not None
    assert storages["ledger_roots"].exists(f"{root.date}.json")


def test_every_account_is_checked_once_in_its_time() -> None:
    tasks.seal()
    assert tasks.check_balances() == 2
    assert tasks.check_balances() == 0
    assert FoldedBalance.objects.filter(checked_at=None).count() == 0
