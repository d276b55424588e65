"""Look-up pages of the ledger: everything can be read, nothing can be written."""

from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from ledger.models import Account, Entry
from ledger.postings import sold
from tests.ledger.books import PARTIES, eur, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def sale(db) -> Entry:
    return post(sold(payment_id=uuid4(), parties=PARTIES, amount=eur(12_990)))


@pytest.fixture
def reader(client):
    client.force_login(get_user_model().objects.create_superuser("reader", "reader@example.com", "a long pass phrase"))
    return client


def test_accounts_are_listed_and_found_by_code(sale, reader) -> None:
    answer = reader.get(reverse("admin:ledger_account_changelist"), {"q": "2010"})
    assert "2010:cli_shop" in answer.text
    assert "1110:sandbox" not in answer.text


@pytest.mark.parametrize("word", ["entry", "payment"])
def test_entries_are_found_by_their_id_and_by_what_they_stand_for(sale, reader, word) -> None:
    term = {"entry": str(sale), "payment": f"pay_{sale.source_id.hex}"}[word]
    assert str(sale) in reader.get(reverse("admin:ledger_entry_changelist"), {"q": term}).text
    for other in (f"ent_{uuid4().hex}", f"pay_{uuid4().hex}", "pay_12", "elsewhere"):
        assert str(sale) not in reader.get(reverse("admin:ledger_entry_changelist"), {"q": other}).text


def test_an_entry_shows_its_lines_and_moves(sale, reader) -> None:
    answer = reader.get(reverse("admin:ledger_entry_change", args=[sale.pk]), follow=True)
    assert answer.redirect_chain == [(f"/console/ledger/entries/{sale}", 302)]
    for shown in ("129.90", "EUR", "2010:cli_shop", "posted", "add up to zero"):
        assert shown in answer.text


@pytest.mark.parametrize("model", [Account, Entry])
def test_nothing_can_be_added_changed_or_deleted(sale, reader, model) -> None:
    name = f"admin:ledger_{model._meta.model_name}"
    first = model.objects.first()
    assert reader.get(reverse(f"{name}_add")).status_code == 403
    assert reader.post(reverse(f"{name}_change", args=[first.pk]), {"name": "x"}).status_code == 403
    assert reader.post(reverse(f"{name}_delete", args=[first.pk]), {"post": "yes"}).status_code == 403
