"""Events leave as CloudEvents, in order per aggregate, and count as published when Kafka has acknowledged them."""

import json
from datetime import timedelta, timezone
from uuid import UUID

import pytest

from paymentops.core import ids
from paymentops.events import operations, tasks
from paymentops.events.cloud_events import message
from paymentops.events.models import OutboxEvent
from paymentops.events.subscribers import Event
from tests.events.conftest import NOW

AGGREGATE = UUID("0199f0c2-d5e4-7c3a-9b1f-000000000001")


class FakeProducer:
    """Acknowledges everything but what it is told to refuse, at sending or afterwards."""

    def __init__(self, *, refused=(), lost=()) -> None:
        self.refused, self.lost, self.taken = set(refused), set(lost), []

    def send(self, _topic, *, headers, **_):
        event_id = dict(headers)["ce_id"].decode()
        if event_id in self.refused:
            raise ValueError("record too large")
        return Sent(self, event_id)


class Sent:
    def __init__(self, producer, event_id) -> None:
        self.producer, self.event_id = producer, event_id

    def get(self, **_):
        if self.event_id in self.producer.lost:
            raise TimeoutError("no acknowledgement")
        self.producer.taken.append(self.event_id)


def event(**changes) -> Event:
    values = {
        "id": "evt_1",
        "type": "payment.captured",
        "aggregate_type": "payment",
        "aggregate_id": AGGREGATE,
        "sequence": 7,
        "data": {"amount": "12990", "note": "Grüße"},
        "occurred_at": NOW,
        "recorded_at": NOW,
        "traceparent": "",
    }
    return Event(**values | changes)


def test_a_record_is_a_cloud_event_in_binary_mode() -> None:
    record = message(event(), source="/paymentops/local")
    assert record.key == b"0199f0c2-d5e4-7c3a-9b1f-000000000001"
    assert json.loads(record.value) == {"amount": "12990", "note": "Grüße"}
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"evt_1",
        "ce_source": b"/paymentops/local",
        "ce_type": b"payops.payment.captured.v1",
        "ce_subject": b"payment/pay_0199f0c2d5e47c3a9b1f000000000001",
        "ce_time": b"2026-11-22T09:30:00.000000Z",
        "ce_sequence": b"0000000007",
        "content-type": b"application/json",
    }


def test_moments_leave_in_utc_and_the_trace_leaves_with_them() -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    local = NOW.astimezone(timezone(timedelta(hours=-3)))
    headers = dict(message(event(occurred_at=local, traceparent=traceparent), source="/x").headers)
    assert headers["ce_time"] == b"2026-11-22T09:30:00.000000Z"
    assert headers["traceparent"] == headers["ce_traceparent"] == traceparent.encode()


def test_an_aggregate_without_a_public_prefix_is_named_by_its_uuid() -> None:
    headers = dict(message(event(aggregate_type="checkpoint"), source="/x").headers)
    assert headers["ce_subject"] == f"checkpoint/{AGGREGATE}".encode()


def publish(producer, *, limit=100) -> operations.Publication:
    return operations.publish_due(connect=lambda: producer, topic="payops.events", source="/x", now=NOW, limit=limit)


@pytest.fixture
def tell_kafka(tell, settings):
    settings.KAFKA_BOOTSTRAP_SERVERS = ["127.0.0.1:9092"]
    return tell


@pytest.mark.django_db
def test_what_is_acknowledged_is_published_in_order(tell_kafka) -> None:
    first, second = tell_kafka(*["payment.captured"] * 3), tell_kafka(*["payment.captured"] * 2)
    producer = FakeProducer()
    assert publish(producer) == operations.Publication(published=5, held_back=0)
    for events in (first, second):
        wanted = [item.public_id for item in events]
        assert [taken for taken in producer.taken if taken in wanted] == wanted
    assert set(OutboxEvent.objects.values_list("publication_pending", "published_at")) == {(False, NOW)}
    assert publish(producer).published == 0


@pytest.mark.django_db
@pytest.mark.parametrize("trouble", ["refused", "lost"])
def test_a_record_that_fails_holds_back_its_aggregate_and_no_other(tell_kafka, trouble) -> None:
    stuck, other = tell_kafka(*["payment.captured"] * 3), tell_kafka(*["payment.captured"] * 3)
    producer = FakeProducer(**{trouble: {stuck[1].public_id}})
    assert publish(producer) == operations.Publication(published=4, held_back=1)
    assert [item for item in producer.taken if item in {e.public_id for e in stuck}] == [stuck[0].public_id]
    stuck[1].refresh_from_db()
    assert stuck[1].last_error.startswith("kafka: ")
    assert publish(FakeProducer()).published == 2
    assert len(producer.taken) == 1 + len(other)


@pytest.mark.django_db
def test_a_crash_before_the_mark_publishes_again_under_the_same_id(tell_kafka) -> None:
    (event,) = tell_kafka("payment.captured")
    producer = FakeProducer()
    publish(producer)
    OutboxEvent.objects.filter(pk=event.pk).update(publication_pending=True, published_at=None)
    publish(producer)
    assert producer.taken == [event.public_id, event.public_id]


@pytest.mark.django_db
def test_order_survives_a_clock_that_ran_backwards(tell_kafka) -> None:
    aggregate = ids.new(NOW)
    late = tell_kafka("payment.created", aggregate_id=aggregate)
    early = tell_kafka("payment.captured", aggregate_id=aggregate, now=NOW - timedelta(days=1), first=2)
    producer = FakeProducer()
    publish(producer, limit=1)
    assert producer.taken == [late[0].public_id, early[0].public_id]


@pytest.mark.django_db
def test_without_work_no_broker_is_asked(tell) -> None:
    tell("payment.captured")

    def ask() -> FakeProducer:
        raise AssertionError("nothing is pending")

    done = operations.publish_due(connect=ask, topic="payops.events", source="/x", now=NOW, limit=10)
    assert done == operations.Publication()


@pytest.mark.django_db
def test_the_relay_rings_for_publication_only_where_kafka_is_configured(tell, settings, monkeypatch) -> None:
    rung = []
    monkeypatch.setattr(tasks.publish, "apply_async", lambda **options: rung.append(options))
    tasks.relay()
    settings.KAFKA_BOOTSTRAP_SERVERS = ["127.0.0.1:9092"]
    tasks.relay()
    assert rung == [{"expires": settings.RELAY_INTERVAL_SECONDS}]


@pytest.mark.django_db
def test_the_task_publishes_with_the_producer_of_the_process(tell_kafka, monkeypatch) -> None:
    tell_kafka("payment.captured")
    producer = FakeProducer()
    monkeypatch.setattr(tasks, "producer", lambda: producer)
    tasks.publish()
    assert len(producer.taken) == 1
