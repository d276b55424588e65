"""Comments and files: nothing written is lost, nothing uploaded is believed, and what nobody needs is erased."""

import io
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256

import pytest
from django.contrib import admin
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import path, reverse

from paymentops.access.actors import Actor
from paymentops.access.models import AuditEntry
from paymentops.casework import files, operations, queries, tasks, verification
from paymentops.casework.models import Attachment, AttachmentBinding, Comment, Subject
from paymentops.core import clock
from paymentops.core.errors import Conflict, InvalidInput, NotFound
from tests.casework.conftest import LATER, NOW, SUBJECT, approved, person, proposed

pytestmark = pytest.mark.django_db
urlpatterns = [path("console/", admin.site.urls)]
PDF = b"%PDF-1.7 evidence"


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path) -> None:
    settings.ROOT_URLCONF = __name__
    storages = {**settings.STORAGES["attachments"], "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "attachments": storages}


@pytest.fixture
def writer(db) -> Actor:
    return person("writer", "Finance")


def upload(by: Actor, content: bytes = PDF, name: str = "proof.pdf", *, now=NOW) -> Attachment:
    return operations.upload(ContentFile(content), name=name, by=by, now=now)


# --- Comments ---------------------------------------------------------------------------------------------------


def test_an_edited_comment_keeps_what_it_said(writer) -> None:
    first = operations.comment(subject=SUBJECT, text=" Why twice? ", by=writer, now=NOW)
    other = operations.comment(subject=SUBJECT, text="Asked the bank.", by=writer, now=NOW + timedelta(minutes=1))
    edited = operations.edit_comment(comment_id=first.pk, text="Why three times?", by=writer, now=LATER)
    assert [comment.text for comment in queries.comments(SUBJECT)] == ["Why three times?", "Asked the bank."]
    assert (edited.public_id, edited.version, first.text) == (first.public_id, 2, "Why twice?")
    assert Comment.objects.count() == 3
    with pytest.raises(Conflict, match="read it again"):
        operations.edit_comment(comment_id=first.pk, text="Or four?", by=writer, now=LATER)
    with pytest.raises(IntegrityError), transaction.atomic():
        Comment.objects.filter(pk=other.pk).update(text="forged")


def test_nobody_changes_the_words_of_another(writer) -> None:
    comment = operations.comment(subject=SUBJECT, text="Mine.", by=writer, now=NOW)
    with pytest.raises(operations.NotAllowed, match="one of your own"):
        operations.edit_comment(comment_id=comment.pk, text="Yours.", by=person("other"), now=NOW)
    with pytest.raises(operations.NotAllowed):
        operations.comment(subject=SUBJECT, text="Hello", by=person("viewer", "Viewer"), now=NOW)
    with pytest.raises(operations.NotAllowed, match="Only a person"):
        operations.comment(subject=SUBJECT, text="Hello", by=Actor.client("cli_1"), now=NOW)


@pytest.mark.parametrize("text", ["", "  ", "a\0b", "x" * 10_001])
def test_a_comment_says_something(writer, text) -> None:
    with pytest.raises(InvalidInput):
        operations.comment(subject=SUBJECT, text=text, by=writer, now=NOW)


# --- What a file is ---------------------------------------------------------------------------------------------


def office(*parts: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for part in parts:
            archive.writestr(part, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "content_type", "cleaned"),
    [
        (PDF, "../../etc/proof.pdf", "application/pdf", "proof.pdf"),
        (PDF, "invoice.exe", "application/pdf", "invoice.pdf"),
        (b"\x89PNG\r\n\x1a\n....", "C:\\shots\\screen.PNG", "image/png", "screen.png"),
        (b"\xff\xd8\xff....", "photo.jpeg", "image/jpeg", "photo.jpg"),
        (b"a;b\n1;2\n", "lines.CSV", "text/csv", "lines.csv"),
        ("Grüße".encode(), "note", "text/plain", "note.txt"),
        (b"<script>alert(1)</script>", "page.html", "text/plain", "page.txt"),
        (b"plain", "\u202egpj.exe\r\nX: y", "text/plain", "gpj.exeX_ y.txt"),
        (b"plain", "...", "text/plain", "file.txt"),
        (office("xl/workbook.xml"), "sheet.xlsx", files._OOXML["xl/workbook.xml"][0], "sheet.xlsx"),
        (office("word/document.xml"), "text.docx", files._OOXML["word/document.xml"][0], "text.docx"),
    ],
)
def test_a_file_is_what_its_bytes_say(content, name, content_type, cleaned) -> None:
    found = files.examine(io.BytesIO(content), name=name, largest=10_000)
    assert (found.content_type, found.name) == (content_type, cleaned)
    assert (found.size, found.sha256) == (len(content), sha256(content).hexdigest())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ\x90\x00",
        b"\x7fELF\xff",
        b"caf\xe9",
        b"text with \0",
        "cut €".encode()[:-1],
        b"PK\x03\x04 not an archive",
        office("evil.js"),
        office("xl/workbook.xml", "xl/vbaProject.bin"),
    ],
)
def test_what_is_not_known_is_not_kept(content) -> None:
    with pytest.raises(files.FileNotAccepted):
        files.examine(io.BytesIO(content), name="x.pdf", largest=10_000)


def test_a_letter_cut_between_two_pieces_is_still_text() -> None:
    content = b"x" * (64 * 1024 - 1) + "€".encode()
    assert files.examine(io.BytesIO(content), name="long.txt", largest=100_000).content_type == "text/plain"


def test_a_file_is_not_larger_than_allowed(writer, settings) -> None:
    settings.ATTACHMENT_MAX_BYTES = len(PDF) - 1
    with pytest.raises(files.FileNotAccepted, match="larger"):
        upload(writer)
    assert not Attachment.objects.exists()


# --- Keeping files ----------------------------------------------------------------------------------------------


def test_a_file_is_kept_bound_once_and_told(writer) -> None:
    attachment = upload(writer)
    operations.bind([attachment.pk], subject=SUBJECT, by=writer, now=NOW)
    (bound,) = queries.attachments(SUBJECT)
    with queries.content(bound) as file:
        assert file.read() == PDF
    with pytest.raises(operations.AttachmentNotUsable, match="something else"):
        operations.bind([attachment.pk], subject=Subject("thing", "thing-2"), by=writer, now=NOW)
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"attachment.upload", "attachment.bind"}
    with pytest.raises(IntegrityError), transaction.atomic():
        AttachmentBinding.objects.all().delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        Attachment.objects.update(sha256="0" * 64)


def test_a_file_of_somebody_else_and_none_at_all_are_refused(writer) -> None:
    attachment = upload(writer)
    with pytest.raises(operations.AttachmentNotUsable, match="somebody else"):
        operations.bind([attachment.pk], subject=SUBJECT, by=person("other"), now=NOW)
    with pytest.raises(NotFound, match="fil_"):
        operations.bind([attachment.pk, SUBJECT_ID], subject=SUBJECT, by=writer, now=NOW)
    assert operations.bind([], subject=SUBJECT, by=writer, now=NOW) == []
    assert not AttachmentBinding.objects.exists()


def test_what_nobody_bound_is_erased_and_what_was_bound_stays(writer, monkeypatch) -> None:
    orphan, bound = upload(writer), upload(writer, name="bound.pdf")
    half = Attachment.objects.create(**{**row(orphan), "id": SUBJECT_ID, "stored_as": "never", "stored_at": None})
    operations.bind([bound.pk], subject=SUBJECT, by=writer, now=NOW)
    assert operations.discard_orphans(uploaded_before=NOW, now=LATER, limit=9) == 0
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=2))
    tasks.clear_away()
    tasks.clear_away()
    assert set(Attachment.objects.filter(erased_at__isnull=False)) == {orphan, half}
    for gone in (orphan, half):
        gone.refresh_from_db()
        with pytest.raises(FileNotFoundError):
            queries.content(gone)
        with pytest.raises(operations.AttachmentNotUsable, match="no longer kept"):
            operations.bind([gone.pk], subject=SUBJECT, by=writer, now=LATER)
    with queries.content(bound) as file:
        assert file.read() == PDF


@pytest.mark.django_db(transaction=True)
def test_a_file_bound_while_orphans_are_looked_for_stays() -> None:
    writer = person("writer", "Finance")
    attachment = upload(writer)

    def bind_in_between(execute, sql, params, many, context):
        """Let the search for orphans begin and wait, so that it does not see what is bound meanwhile."""
        if "SKIP LOCKED" in sql:
            sql = sql.replace("WHERE ", f"WHERE (SELECT pg_advisory_lock({LOCK}) IS NOT NULL) AND ", 1)
        return execute(sql, params, many, context)

    def discard() -> int:
        try:
            with connection.execute_wrapper(bind_in_between):
                return operations.discard_orphans(uploaded_before=LATER, now=LATER, limit=9)
        finally:
            connection.close()

    with connection.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute(f"SELECT pg_advisory_lock({LOCK})")
        erased = pool.submit(discard)
        wait_for_lock(LOCK)
        operations.bind([attachment.pk], subject=SUBJECT, by=writer, now=LATER)
        cursor.execute(f"SELECT pg_advisory_unlock({LOCK})")
        assert erased.result(timeout=20) == 0
    assert Attachment.objects.get().discarded_at is None
    with queries.content(attachment) as file:
        assert file.read() == PDF


LOCK = 4_711


def wait_for_lock(number: int) -> None:
    """Wait until somebody waits for this advisory lock."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", [number]
            )
            if cursor.fetchall():
                return
        time.sleep(0.02)
    raise AssertionError("Nobody came to wait.")


SUBJECT_ID = Attachment._meta.pk.to_python("0199f0c2-d5e4-7c3a-9b1f-000000000000")


def row(attachment: Attachment) -> dict[str, object]:
    return {field.attname: getattr(attachment, field.attname) for field in Attachment._meta.concrete_fields}


def test_a_file_is_downloaded_and_never_shown(writer) -> None:
    attachment = upload(writer, b"<script>alert(1)</script>", 'x"; filename=evil.html')
    address = reverse("admin:casework_attachment_content", args=[attachment.pk])
    browser = Client()
    assert browser.get(address).status_code == 302
    browser.force_login(writer.user)
    answer = browser.get(address)
    assert b"".join(answer.streaming_content) == b"<script>alert(1)</script>"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert (answer.headers["Content-Type"], answer.headers["X-Content-Type-Options"]) == ("text/plain", "nosniff")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert browser.get(reverse("admin:casework_attachment_content", args=[SUBJECT_ID])).status_code == 404
    for page in ("attachment", "proposal"):
        assert browser.get(reverse(f"admin:casework_{page}_changelist")).status_code == 200
    assert attachment.sha256 in browser.get(reverse("admin:casework_attachment_change", args=[attachment.pk])).text


# --- Everything about a thing -----------------------------------------------------------------------------------


def test_the_history_of_a_thing_tells_everything_in_order(writer, django_assert_num_queries) -> None:
    operations.comment(subject=SUBJECT, text="Why twice?", by=writer, now=NOW - timedelta(hours=3))
    operations.bind([upload(writer).pk], subject=SUBJECT, by=writer, now=NOW - timedelta(hours=2))
    operations.claim(subject=SUBJECT, version=0, by=writer, now=NOW - timedelta(hours=1))
    approved(proposed(writer), person("checker"))
    with django_assert_num_queries(4):
        told = queries.history(SUBJECT)
    assert [moment.what for moment in told] == ["comment", "attachment", "claim", "proposed", "approved", "carried out"]
    assert [moment.actor for moment in told] == ["writer"] * 4 + ["checker"] * 2
    assert (told[0].text, told[1].text, told[2].text) == ("Why twice?", "proof.pdf", "writer")


def test_verification_reads_every_file_again(writer, tmp_path) -> None:
    good, changed, lost = (upload(writer, name=name) for name in ("good.pdf", "changed.pdf", "lost.pdf"))
    operations.bind([good.pk], subject=SUBJECT, by=writer, now=NOW)
    (tmp_path / changed.stored_as).write_bytes(b"%PDF-1.7 forged")
    (tmp_path / lost.stored_as).unlink()
    found = {check.name: check.violations for check in verification.checks()}
    # All were uploaded at one moment, so their ids have no order.
    assert set(found.pop("casework.files_as_uploaded")) == {
        f"{changed}: changed.pdf is not the file that was uploaded",
        f"{lost}: the bytes of lost.pdf cannot be read",
    }
    assert all(violations == [] for violations in found.values())
