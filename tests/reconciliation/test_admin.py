"""Look-up pages of reconciliation: everything can be read, nothing can be written."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from tests.reconciliation.sources import csv, read, row, source

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", ["source", "statementfile", "ingestrun"])
def test_lists_show_and_change_nothing(client, model) -> None:
    user = get_user_model().objects.create_superuser("reader", "reader@example.com", "a long pass phrase")
    client.force_login(user)
    source()
    run = read(csv([row(1)]))
    shown = {"source": "acme", "statementfile": run.file.public_id, "ingestrun": run.public_id}[model]
    answer = client.get(reverse(f"admin:reconciliation_{model}_changelist"))
    assert shown in answer.text
    assert client.get(reverse(f"admin:reconciliation_{model}_add")).status_code == 403
