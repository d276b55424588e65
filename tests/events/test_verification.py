"""Lost, doubled and overtaken events are found from the rows alone."""

from datetime import timedelta

import pytest
from django.db import connection

from paymentops.core import clock
from paymentops.events import operations
from paymentops.events.models import InboxEntry, OutboxEvent
from paymentops.events.verification import checks
from tests.events.conftest import NOW

pytestmark = pytest.mark.django_db


def broken() -> dict[str, list[str]]:
    return {check.name: check.violations for check in checks() if not check.ok}


@pytest.fixture
def by_force():
    """Run SQL past the triggers and constraints, as only a superuser can."""

    def run(sql: str, *values) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(sql, values)
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    return run


def test_a_day_without_trouble_breaks_nothing(tell, listener) -> None:
    tell("payment.created", "payment.captured", "payment.captured")
    operations.deliver_due(now=NOW, limit=10, subscribers=listener.registry())
    assert len(list(checks())) == 6
    assert broken() == {}


def test_fresh_events_may_wait(tell) -> None:
    tell("payment.created", now=clock.now())
    assert broken() == {}


def test_an_event_that_waits_too_long_is_named(tell) -> None:
    (event,) = tell("payment.created", now=clock.now() - timedelta(hours=2))
    (sentence,) = broken()["events.none_overdue"]
    assert sentence.startswith(f"{event.public_id} (payment.created) waits since")


def test_events_handled_in_the_wrong_order_are_named(tell) -> None:
    first, second = tell("payment.captured", "payment.captured")
    for event in (second, first):
        InboxEntry.objects.create(consumer="ears", event_id=event.public_id, handled_at=NOW)
    OutboxEvent.objects.update(delivery_pending=False, delivered_at=NOW)
    (sentence,) = broken()["events.handled_in_order"]
    assert sentence.startswith(f"ears handled {second.public_id} before an earlier event")


def test_a_dead_letter_handled_late_is_no_wrong_order(tell) -> None:
    first, second = tell("payment.captured", "payment.captured")
    letter = operations.bury(
        source="subscriber:ears", reference=first.public_id, reason="x", owner="engineering", attempts=6, now=NOW
    )
    for event in (second, first):
        InboxEntry.objects.create(consumer="ears", event_id=event.public_id, handled_at=NOW)
    OutboxEvent.objects.update(delivery_pending=False, delivered_at=NOW)
    assert set(broken()) == {"events.no_dead_letters"}
    letter.resolved_at = NOW
    letter.save()
    assert broken() == {}


def test_an_overtaken_event_is_named(tell) -> None:
    first, second = tell("payment.captured", "payment.captured", now=clock.now())
    InboxEntry.objects.create(consumer="ears", event_id=second.public_id, handled_at=NOW)
    (sentence,) = broken()["events.nothing_overtakes"]
    assert first.public_id in sentence


def test_an_event_published_before_an_earlier_one_is_named(tell, settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = ["127.0.0.1:9092"]
    first, second = tell("payment.captured", "payment.captured", now=clock.now())
    OutboxEvent.objects.filter(pk=second.pk).update(publication_pending=False, published_at=NOW)
    (sentence,) = broken()["events.published_in_order"]
    assert sentence.startswith(second.public_id)
    assert first.public_id in sentence


def test_two_events_of_one_version_are_found_even_without_the_constraint(tell, by_force) -> None:
    tell("payment.created", "payment.captured")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_outboxevent DROP CONSTRAINT outbox_one_event_per_version")
    by_force("UPDATE events_outboxevent SET sequence = 1, delivery_pending = false, delivered_at = %s", NOW)
    assert "2 events of sequence 1" in broken()["events.one_per_version"][0]
