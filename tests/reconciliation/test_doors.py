"""Statement files come in through the API, the command line and the watched folder."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from paymentops.core import clock
from reconciliation import inbox, operations, tasks
from reconciliation.models import StatementFile
from tests.payments.conftest import Api, make_api
from tests.reconciliation.sources import NOW, csv, row, send, source, worker

pytestmark = pytest.mark.django_db
BOTH = ["reconciliation:read", "reconciliation:write"]


@pytest.fixture(autouse=True)
def acme(db):
    return source()


def _send(api: Api, content: bytes, *, path: str = "acme", **named):
    return api.http.post(
        f"/api/v1/reconciliation/sources/{path}/files?filename=day.csv",
        content,
        content_type="application/octet-stream",
        headers={"Authorization": f"Api-Key {api.secret}"},
        **named,
    )


def test_a_file_is_sent_read_and_shown_with_its_rejects() -> None:
    api = make_api("controlling", BOTH)
    sent = _send(api, csv([row(1), "p2,o2,sale,ten,0,ten,2026-03-09"]))
    assert sent.status_code == 201, sent.content
    assert sent.json()["run"]["state"] == "RECEIVED"
    assert sent.json()["name"] == "day.csv"
    tasks.ingest()
    file_id = sent.json()["id"]
    shown = api.get(f"reconciliation/files/{file_id}").json()
    assert (shown["run"]["state"], shown["run"]["lines"], shown["run"]["rejects"]) == ("PARSED", 1, 1)
    assert shown["run"]["progress_percent"] == 100
    assert shown["totals"][0]["credit"] == 1000
    rejects = api.get(f"reconciliation/files/{file_id}/rejects", limit=1).json()
    assert (rejects["results"][0]["line"], rejects["next"]) == (3, 2)
    assert api.get(f"reconciliation/files/{file_id}/changes").json()["results"] == []
    again = _send(api, csv([row(1), "p2,o2,sale,ten,0,ten,2026-03-09"]))
    assert (again.status_code, again.json()["run"]["id"]) == (200, sent.json()["run"]["id"])


def test_a_file_may_come_as_a_form() -> None:
    api = make_api("controlling", BOTH)
    answer = api.http.post(
        "/api/v1/reconciliation/sources/acme/files",
        {"file": SimpleUploadedFile("form.csv", csv([row(1)]))},
        headers={"Authorization": f"Api-Key {api.secret}"},
    )
    assert (answer.status_code, answer.json()["name"]) == (201, "form.csv")


def test_what_cannot_be_taken_is_refused_with_a_reason(settings) -> None:
    api = make_api("controlling", BOTH)
    assert _send(api, b"x", path="nobody").status_code == 404
    assert _send(api, b"").status_code == 400
    settings.STATEMENT_MAX_BYTES = 10
    assert _send(api, b"x" * 11).json()["code"] == "request.too_large"
    assert _send(make_api("reader", ["reconciliation:read"]), b"x").status_code == 403
    assert StatementFile.objects.count() == 0


def test_a_file_is_ingested_at_the_command_line(tmp_path, capsys) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(csv([row(1)]))
    for is_new in (True, False):
        call_command("ingest", "acme", str(path), "--json")
        shown = json.loads(capsys.readouterr().out)
        assert (shown["is_new"], shown["run"]["state"], shown["run"]["lines"]) == (is_new, "PARSED", 1)
    path.write_bytes(csv([row(1)], count=3))
    with pytest.raises(CommandError, match="refused"):
        call_command("ingest", "acme", str(path))
    with pytest.raises(CommandError, match="no source"):
        call_command("ingest", "nobody", str(path))


def test_a_failed_run_is_taken_up_again_at_the_command_line(tmp_path, capsys) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(csv([row(1)]))
    received = send(path.read_bytes())
    storages["statements"].delete(received.run.file.stored_as)
    assert operations.ingest(received.run.pk, worker=worker()).state == "FAILED"
    storages["statements"].save(received.run.file.stored_as, ContentFile(path.read_bytes()))
    call_command("ingest", "acme", str(path))
    assert "parsed, received before: 1 lines" in capsys.readouterr().out


def _drop(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    old = NOW.timestamp() - 60
    os.utime(path, (old, old))
    return path


def test_files_in_the_watched_folder_are_read_and_moved_away(tmp_path) -> None:
    folder = tmp_path / "inbox" / "acme"
    folder.mkdir(parents=True)
    good = _drop(folder, "good.csv", csv([row(1)]))
    bad = _drop(folder, "bad.csv", csv([row(2)], count=9))
    empty = _drop(folder, "empty.csv", b"")
    unfinished = _drop(folder, "more.csv.part", csv([row(3)]))
    for _ in range(2):
        inbox.look(folder.parent, settled_seconds=10, now=NOW)
        # Dying between receiving, reading and moving changes nothing: the next look finds the same file.
        inbox.look(folder.parent, settled_seconds=10, now=NOW)
        operations.ingest_due(worker=worker(at=NOW), limit=9)
    assert not any(path.exists() for path in (good, bad, empty))
    assert unfinished.exists()
    assert sorted(path.name for path in (folder / "done").iterdir()) == ["good.csv"]
    assert sorted(path.name for path in (folder / "refused").iterdir()) == [
        "bad.csv",
        "bad.csv.reason.txt",
        "empty.csv",
        "empty.csv.reason.txt",
    ]
    assert StatementFile.objects.count() == 2


def test_a_file_that_is_still_written_to_is_left_alone(tmp_path, settings) -> None:
    folder = tmp_path / "inbox" / "acme"
    folder.mkdir(parents=True)
    path = _drop(folder, "new.csv", csv([row(1)]))
    now = clock.now()
    os.utime(path, (now.timestamp(), now.timestamp()))
    assert inbox.look(folder.parent, settled_seconds=10, now=now) == 0
    assert inbox.look(folder.parent, settled_seconds=10, now=now + timedelta(seconds=11)) == 1
    settings.STATEMENTS_INBOX = ""
    assert tasks.watch_inbox() == 0
