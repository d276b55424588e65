"""Whoever changes rows behind the triggers is found out, row by row."""

import pytest
from django.core.files.base import ContentFile
from django.db import connection

from paymentops.casework import facts, operations, verification
from paymentops.casework.models import Proposal
from paymentops.core.errors import InvalidInput
from paymentops.management.commands import verify
from tests.casework.conftest import NOW, SUBJECT, approved, person, proposed

pytestmark = pytest.mark.django_db


def behind_the_triggers(sql: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, parameters)
        cursor.execute("SET LOCAL session_replication_role = origin")


def found() -> dict[str, list[str]]:
    return {check.name: check.violations for check in verification.checks() if not check.ok}


@pytest.fixture
def done(db) -> Proposal:
    proposal = proposed(person("maker"))
    approved(proposal, person("checker"))
    assert found() == {}
    return proposal


def test_a_state_that_its_moves_do_not_lead_to(done) -> None:
    behind_the_triggers("UPDATE casework_proposal SET state = 'REFUSED' WHERE id = %s", done.pk)
    assert found() == {"casework.states_fold": [f"{done}: is REFUSED, its transitions lead to CARRIED_OUT"]}


def test_a_move_that_is_gone(done) -> None:
    behind_the_triggers("DELETE FROM casework_proposaltransition WHERE to_state = 'APPROVED'")
    assert found() == {"casework.states_fold": [f"{done}: impossible transitions PROPOSED > CARRIED_OUT"]}


@pytest.mark.parametrize("what", ["payload", "snapshot"])
def test_words_put_into_the_proposers_mouth(done, what) -> None:
    behind_the_triggers(f'UPDATE casework_proposal SET {what} = \'{{"amount": "9"}}\'')
    assert found() == {"casework.proposals_as_hashed": [f"{done}: its {what} is not the one that was proposed"]}


def test_a_second_person_who_was_never_there(done) -> None:
    other = person("other")
    behind_the_triggers("UPDATE casework_proposal SET decided_by_id = %s", other.user.pk)
    assert found() == {"casework.second_person": [f"{done}: its approval has no audit row of the person who gave it"]}


def test_one_who_was_both(done) -> None:
    behind_the_triggers("UPDATE casework_proposaltransition SET actor = 'maker'")
    assert found() == {"casework.second_person": [f"{done}: maker proposed and decided"]}


def test_an_owner_whom_nobody_made_one() -> None:
    operations.claim(subject=SUBJECT, version=0, by=person("first"), now=NOW)
    assert found() == {}
    behind_the_triggers("UPDATE casework_ownership SET owner_id = %s", person("second").user.pk)
    assert found() == {"casework.owners_fold": [f"owner of {SUBJECT.type} {SUBJECT.id}: differs from its last change"]}


def test_evidence_that_was_thrown_away(settings, tmp_path) -> None:
    folder = {**settings.STORAGES["attachments"], "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "attachments": folder}
    writer = person("writer")
    file = operations.upload(ContentFile(b"%PDF-1.7 evidence"), name="proof.pdf", by=writer, now=NOW)
    operations.bind([file.pk], subject=SUBJECT, by=writer, now=NOW)
    assert found() == {}
    behind_the_triggers("UPDATE casework_attachment SET discarded_at = now()")
    assert found() == {
        "casework.bound_files_kept": [f"{file}: belongs to {SUBJECT.type} {SUBJECT.id} and is not kept"],
    }


def test_the_command_runs_these_checks() -> None:
    assert verification in verify.VERIFICATIONS


def test_changes_are_named_by_their_path() -> None:
    before = {"a": 1, "list": [1, {"x": "y"}], "same": None}
    after = {"a": True, "list": [1, {"x": "z"}, 3], "same": None}
    assert [str(change) for change in facts.changes(before, after)] == [
        "a was 1 and is true",
        "list.2.x was y and is z",
        "list.3 was — and is 3",
    ]
    assert facts.digest({"b": 1, "a": "é"}) == facts.digest({"a": "é", "b": 1})
    with pytest.raises(InvalidInput):
        facts.plain({"amount": 2**53})
