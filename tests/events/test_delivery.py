"""Each subscriber sees each event once, in the order of its aggregate, and nothing blocks for ever."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection

from paymentops.core import ids, tracing
from paymentops.events import operations, tasks
from paymentops.events.models import DeadLetter, InboxEntry, OutboxEvent
from paymentops.events.operations.delivery import WAITS
from paymentops.events.operations.single import only_one
from paymentops.events.subscribers import Registry, Subscriber
from tests.events.conftest import NOW, Listener

pytestmark = pytest.mark.django_db


def names(events) -> list[str]:
    return [event.public_id for event in events]


def deliver(listener: Listener, *, now=NOW, limit=100) -> operations.Delivery:
    return operations.deliver_due(now=now, limit=limit, subscribers=listener.registry())


def test_events_arrive_once_and_in_order(tell, listener) -> None:
    events = tell(*["payment.captured"] * 5)
    assert deliver(listener).delivered == 5
    assert deliver(listener).delivered == 0
    assert listener.seen == names(events)
    assert listener.seen_at == NOW
    assert set(OutboxEvent.objects.values_list("delivery_pending", "delivered_at")) == {(False, NOW)}
    assert InboxEntry.objects.count() == 5


def test_what_nobody_wants_is_passed_over_at_once(tell, listener) -> None:
    tell("payment.created", "payment.processing", "payment.captured")
    done = deliver(listener)
    assert (done.delivered, done.passed_over) == (1, 2)
    assert not OutboxEvent.objects.filter(delivery_pending=True).exists()


def test_without_subscribers_everything_is_passed_over(tell) -> None:
    tell("payment.created", "payment.captured")
    assert operations.deliver_due(now=NOW, limit=10, subscribers=Registry()).passed_over == 2


def test_order_is_that_of_the_versions_also_when_a_clock_ran_backwards(tell, listener) -> None:
    aggregate = ids.new(NOW)
    late = tell("payment.captured", aggregate_id=aggregate, now=NOW, first=1)
    early = tell("payment.captured", aggregate_id=aggregate, now=NOW - timedelta(hours=1), first=2)
    deliver(listener, limit=1)
    assert listener.seen == names(late + early)


def test_a_failure_stops_its_aggregate_and_no_other(tell, listener) -> None:
    stuck = tell(*["payment.captured"] * 3)
    other = tell(*["payment.captured"] * 2)
    listener.failing = {stuck[1].public_id}
    done = deliver(listener)
    assert (done.delivered, done.put_off) == (3, 1)
    assert sorted(listener.seen) == sorted(names([stuck[0], *other]))
    stuck[1].refresh_from_db()
    assert (stuck[1].delivery_failures, stuck[1].next_delivery_at) == (1, NOW + WAITS[0])
    assert stuck[1].last_error == "ears: LookupError: no row for payment.captured"


def test_a_waiting_aggregate_takes_no_room_from_others(tell, listener) -> None:
    stuck = tell(*["payment.captured"] * 20)
    listener.failing = {stuck[0].public_id}
    deliver(listener)
    other = tell("payment.captured")
    assert deliver(listener, limit=1).delivered == 1
    assert listener.seen == names(other)


def test_the_next_try_comes_when_it_is_due_and_order_is_kept(tell, listener) -> None:
    events = tell(*["payment.captured"] * 3)
    listener.failing = {events[0].public_id}
    deliver(listener)
    listener.failing = set()
    assert deliver(listener, now=NOW + WAITS[0] - timedelta(milliseconds=1)).delivered == 0
    assert deliver(listener, now=NOW + WAITS[0]).delivered == 3
    assert listener.seen == names(events)


def give_up(listener, event) -> None:
    listener.failing = {event.public_id}
    now = NOW
    for wait in (*WAITS, timedelta(0)):
        deliver(listener, now=now)
        now += wait


def test_what_fails_for_good_becomes_a_dead_letter_with_an_owner_and_the_aggregate_goes_on(tell, listener) -> None:
    events = tell(*["payment.captured"] * 3)
    give_up(listener, events[1])
    letter = DeadLetter.objects.get()
    assert (letter.source, letter.reference, letter.owner) == (
        "subscriber:ears",
        events[1].public_id,
        "engineering",
    )
    assert (letter.attempts, letter.resolved_at) == (len(WAITS) + 1, None)
    assert letter.reason == "LookupError: no row for payment.captured"
    assert listener.seen == names([events[0], events[2]])
    waiting = OutboxEvent.objects.filter(delivery_pending=True)
    assert [event.type for event in waiting] == ["events.dead_letter_made"]


def test_one_failing_subscriber_does_not_repeat_the_others_effect(tell, listener) -> None:
    (event,) = tell("payment.captured")
    broken = Listener(failing={event.public_id})
    registry = listener.registry()
    registry.register(
        Subscriber(name="broken", event_types=frozenset({"payment.captured"}), owner="finance", handle=broken)
    )
    now = NOW
    for wait in (*WAITS, timedelta(0)):
        operations.deliver_due(now=now, limit=10, subscribers=registry)
        now += wait
    assert listener.seen == [event.public_id]
    assert list(DeadLetter.objects.values_list("source", "owner")) == [("subscriber:broken", "finance")]


def test_a_failed_effect_leaves_nothing_behind(tell) -> None:
    tell("payment.captured")

    def half_done(*, event, now) -> None:
        InboxEntry.objects.create(consumer="effect", event_id=event.id, handled_at=now)
        raise ZeroDivisionError

    registry = Registry()
    registry.register(
        Subscriber(name="half", event_types=frozenset({"payment.captured"}), owner="engineering", handle=half_done)
    )
    assert operations.deliver_due(now=NOW, limit=10, subscribers=registry).put_off == 1
    assert not InboxEntry.objects.exists()


def test_a_crash_between_effect_and_mark_repeats_no_effect(tell, listener) -> None:
    (event,) = tell("payment.captured")
    deliver(listener)
    OutboxEvent.objects.update(delivery_pending=True, delivered_at=None)
    assert deliver(listener).delivered == 1
    assert listener.seen == [event.public_id]


def test_the_effect_belongs_to_the_trace_of_the_change(tell) -> None:
    traces = []

    def handle(*, event, now) -> None:
        traces.append(tracing.current_trace_id())

    registry = Registry()
    registry.register(
        Subscriber(name="tracer", event_types=frozenset({"payment.captured"}), owner="engineering", handle=handle)
    )
    with tracing.continued("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        tell("payment.captured")
    operations.deliver_due(now=NOW, limit=10, subscribers=registry)
    assert traces == ["0af7651916cd43dd8448eb211c80319c"]


@pytest.mark.django_db(transaction=True)
def test_only_one_relay_works_at_a_time(tell, listener) -> None:
    tell("payment.captured")
    other = connection.copy()
    try:
        with other.cursor() as cursor, only_one("events.deliver") as free:
            assert free
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            assert cursor.fetchone()[0] >= 1
            key = _key_of("events.deliver")
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
            assert cursor.fetchone() == (False,)
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
            assert cursor.fetchone() == (True,)
        assert deliver(listener) == operations.Delivery()
        with other.cursor() as cursor:
            # A lock that only ends with its connection is still held for a moment after the connection was closed.
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
    finally:
        other.close()
    assert deliver(listener).delivered == 1


def _key_of(name: str) -> int:
    with only_one(name), connection.cursor() as cursor:
        cursor.execute("SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
                       " AND pid = pg_backend_pid()")  # fmt: skip
        return cursor.fetchone()[0]


def test_a_name_is_registered_once(listener) -> None:
    registry = listener.registry()
    with pytest.raises(ImproperlyConfigured, match="ears"):
        registry.register(registry.named("ears"))
    registry.register_replay("webhook", print)
    for kind in ("webhook", "subscriber"):
        with pytest.raises(ImproperlyConfigured, match=kind):
            registry.register_replay(kind, print)


def test_the_task_and_the_command_run_the_relay(tell, capsys) -> None:
    tell("nobody.listens")
    tasks.relay()
    assert not OutboxEvent.objects.filter(delivery_pending=True).exists()
    tell("nobody.listens")
    call_command("relay", "--limit", "5")
    assert "nobody listens to 1" in capsys.readouterr().out
