"""Taking a statement file in: its row first, its bytes then, and last the run that will read it.

A process that dies between two of these leaves a file that the next sending of the same bytes completes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import transaction

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.core import ids
from paymentops.core.errors import Conflict
from paymentops.events.operations.single import only_one
from reconciliation import queries
from reconciliation.models import IngestRun, Source, StatementFile
from reconciliation.operations import moving
from reconciliation.states import RunState
from reconciliation.uploads import Spooled

_LONGEST_NAME: Final = 200


class SourceInactive(Conflict):
    """The source takes no more files."""

    code = "reconciliation.source_inactive"
    title = "The source is not active"


class FileInTransit(Conflict):
    """Somebody else sends the same file at this moment."""

    code = "reconciliation.file_in_transit"
    title = "The same file is being received"


@dataclass(frozen=True, slots=True)
class Received:
    """A file's run, and whether the file was new; one that was sent before answers with its first run."""

    run: IngestRun
    is_new: bool


def receive(upload: Spooled, *, source_name: str, name: str, by: Actor, now: datetime) -> Received:
    """Keep a statement file and let it be read. Not inside a transaction. Emits ``statement.received``.

    Args:
        upload: its bytes with their SHA-256.
        source_name: whose file it is.
        name: as its sender calls it.
        by: who sends it.
        now: when.

    Raises:
        NotFound: there is no such source.
        SourceInactive: it takes no more files.
        FileInTransit: the same file is being received at this moment; send it again to learn of its run.
    """
    source = queries.source(source_name)
    if not source.is_active:
        raise SourceInactive(f"The source {source.name} is switched off; it takes no files.")
    file, is_new = _claim(upload, source=source, name=name, by=by, now=now)
    if file.stored_at is None:
        _store(file, upload, now=now)
    return Received(file.runs.order_by("number")[0], is_new)


@transaction.atomic
def read_again(file: StatementFile, *, by: Actor, reason: str, now: datetime) -> IngestRun:
    """Read a refused file again, with what its source declares now. Locks the file. Emits ``statement.received``.

    Raises:
        Conflict: its last run was not refused, or its rows are not cleared away yet.
    """
    file = StatementFile.objects.select_for_update().select_related("source").get(pk=file.pk)
    last = file.runs.order_by("number").last()
    if last is None or last.state != RunState.REFUSED or last.cleaned_at is None:
        raise Conflict("Only a file that was refused, and whose rows are cleared away, can be read again.")
    access.audit(
        action="statement_file.read_again",
        actor=by,
        object_type="statement_file",
        object_id=file.public_id,
        reason=reason,
        now=now,
    )
    return _begin(file, number=last.number + 1, now=now)


def storage() -> Storage:
    """Return where the bytes of statement files lie."""
    return storages["statements"]


@transaction.atomic
def _claim(upload: Spooled, *, source: Source, name: str, by: Actor, now: datetime) -> tuple[StatementFile, bool]:
    file_id = ids.new(now)
    file, is_new = StatementFile.objects.get_or_create(
        source=source,
        sha256=upload.sha256,
        defaults={
            "id": file_id,
            "name": _shown(name),
            "size": upload.size,
            "stored_as": f"{source.name}/{now:%Y/%m}/{file_id.hex}",
            "received_at": now,
            "received_by": by.name,
        },
    )
    if is_new:
        access.audit(
            action="statement_file.receive",
            actor=by,
            object_type="statement_file",
            object_id=file.public_id,
            after={"source": source.name, "name": file.name, "size": file.size, "sha256": file.sha256},
            now=now,
        )
    return file, is_new


def _store(file: StatementFile, upload: Spooled, *, now: datetime) -> None:
    with only_one(f"statement file {file.pk}") as free:
        if not free:
            raise FileInTransit("The same file is being received at this moment; send it again to learn of its run.")
        file.refresh_from_db()
        if file.stored_at is not None:
            return
        # What a process that died left half-written must not stand in the way of the name.
        storage().delete(file.stored_as)
        storage().save(file.stored_as, File(upload.file))
        with transaction.atomic():
            file.stored_at = now
            file.save(update_fields=["stored_at"])
            _begin(file, number=1, now=now)


def _begin(file: StatementFile, *, number: int, now: datetime) -> IngestRun:
    source = file.source
    run = IngestRun.objects.create(
        id=ids.new(now),
        file=file,
        number=number,
        format=source.format,
        options=source.options,
        zone=source.zone,
        received_at=now,
        next_attempt_at=now,
    )
    moving.begin(run, cause="received", now=now)
    return run


def _shown(name: str) -> str:
    """Return the last part of a name, printable and short enough to keep."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter if letter.isprintable() else "_" for letter in base)[-_LONGEST_NAME:] or "statement"
