"""Versions of one statement: a changed file takes its place in the chain by the moment it was received."""

from django.db.models import F

from reconciliation import ingest_sql
from reconciliation.models import Source, StatementFile


def place(file: StatementFile, *, identity: str) -> None:
    """Give a file that was just read its identity and its place among its versions. In a transaction.

    A file counts as a version of another only if both have a line in common: a provider that writes two different
    halves of a day under one name must not lose the first. Locks the source, so that two files take their places one
    after the other.
    """
    Source.objects.select_for_update().get(pk=file.source_id)
    chain = StatementFile.objects.filter(source_id=file.source_id, identity=identity).exclude(pk=file.pk)
    file.identity = identity
    file.save(update_fields=["identity"])
    last = chain.order_by("-version", "-id").first()
    if last is None or not ingest_sql.share_a_line(older_id=last.pk, newer_id=file.pk):
        return
    older: StatementFile | None = last
    newer: StatementFile | None = None
    # Usually nothing; files may finish in another order than they came.
    while older is not None and older.received_at > file.received_at:
        newer, older = older, older.supersedes
    _insert(file, older=older, newer=newer)


def _insert(file: StatementFile, *, older: StatementFile | None, newer: StatementFile | None) -> None:
    if newer is not None:
        behind = newer
        later = StatementFile.objects.filter(
            source_id=file.source_id, identity=file.identity, version__gt=behind.version
        )
        later.update(version=F("version") + 1)
        StatementFile.objects.filter(pk=behind.pk).update(supersedes=file, version=F("version") + 1)
    if older is not None:
        file.supersedes, file.version = older, older.version + 1
        file.save(update_fields=["supersedes", "version"])
