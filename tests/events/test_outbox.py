"""What happened is written with the change itself and never rewritten."""

import pytest
from django.db import IntegrityError, transaction
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from paymentops.core import ids, tracing
from paymentops.events import operations
from paymentops.events.models import InboxEntry, OutboxEvent
from tests.events.conftest import NOW

pytestmark = pytest.mark.django_db


def test_an_event_is_born_undelivered_and_without_kafka_unpublished(tell) -> None:
    (event,) = tell("payment.created")
    event.refresh_from_db()
    assert (event.delivery_pending, event.publication_pending, event.sequence) == (True, False, 1)
    assert (event.occurred_at, event.recorded_at, event.data) == (NOW, NOW, {"amount": "12990"})
    assert (str(event), event.public_id[:4]) == ("payment.created #1", "evt_")


def test_with_kafka_configured_it_waits_for_publication(tell, settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = ["127.0.0.1:9092"]
    assert tell("payment.created")[0].publication_pending


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_a_mistake() -> None:
    with pytest.raises(operations.NotInTransaction):
        operations.record(
            aggregate_type="payment", aggregate_id=ids.new(NOW), sequence=1, type="x", data={}, occurred_at=NOW, now=NOW
        )


def test_an_event_goes_with_the_change_when_that_is_rolled_back(tell) -> None:
    with transaction.atomic():
        tell("payment.created")
        transaction.set_rollback(True)
    assert not OutboxEvent.objects.exists()


def test_an_aggregate_has_one_event_per_version(tell) -> None:
    (event,) = tell("payment.created")
    with pytest.raises(IntegrityError, match="outbox_one_event_per_version"), transaction.atomic():
        tell("payment.captured", aggregate_id=event.aggregate_id)


@pytest.mark.parametrize("change", [{"data": {}}, {"type": "other"}, {"sequence": 7}, {"traceparent": "x"}])
def test_what_happened_never_changes(tell, change) -> None:
    tell("payment.created")
    with pytest.raises(IntegrityError, match="may change"), transaction.atomic():
        OutboxEvent.objects.update(**change)


def test_events_and_inbox_rows_never_go(tell) -> None:
    tell("payment.created")
    InboxEntry.objects.create(consumer="ears", event_id="evt_1", handled_at=NOW)
    for rows in (OutboxEvent.objects.all(), InboxEntry.objects.all()):
        with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
            rows.delete()
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        InboxEntry.objects.update(consumer="other")


def test_delivered_without_a_moment_is_refused(tell) -> None:
    tell("payment.created")
    with pytest.raises(IntegrityError, match="outbox_delivered_has_its_moment"), transaction.atomic():
        OutboxEvent.objects.update(delivery_pending=False)


def test_an_event_carries_the_trace_of_its_change(tell) -> None:
    span = TracerProvider().get_tracer("test").start_span("request")
    with trace.use_span(span, end_on_exit=True):
        event = tell("payment.created")[0]
        trace_id = tracing.current_trace_id()
    assert event.traceparent.split("-")[1] == trace_id
    assert tracing.current_trace_id() == tracing.current_traceparent() == ""
    with tracing.continued(event.traceparent):
        assert tracing.current_trace_id() == trace_id
    with tracing.continued(""):
        assert tracing.current_trace_id() == ""
