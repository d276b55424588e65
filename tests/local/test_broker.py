from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from kombu import Connection

from paymentops.celery import app
from paymentops.local import broker


@pytest.fixture
def options(data_dir: Path) -> dict[str, object]:
    folder = str(data_dir / "messages")
    return {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": str(data_dir / "control"),
        "polling_interval": 0.01,
    }


@pytest.fixture
def link(options) -> Iterator[Connection]:
    with Connection("filesystem://localhost/", transport_options=options) as connection:
        yield connection


def test_the_file_scheme_means_our_transport(link):
    assert isinstance(link.transport, broker.Transport)


def test_folders_are_made_when_needed_and_closed_to_others(link, options):
    link.connect()
    assert Path(options["data_folder_in"]).stat().st_mode & 0o077 == 0


def test_messages_arrive_once_and_in_order(link):
    messages = link.SimpleQueue("dispatch")
    for number in range(300):
        messages.put({"number": number})
    received = []
    for _ in range(300):
        message = messages.get(timeout=5)
        message.ack()
        received.append(message.payload["number"])
    assert received == list(range(300))
    with pytest.raises(messages.Empty):
        messages.get(block=False)
    messages.close()


def test_queues_do_not_see_each_others_messages(link):
    dispatch, events = link.SimpleQueue("dispatch"), link.SimpleQueue("events")
    dispatch.put("a")
    with pytest.raises(events.Empty):
        events.get(block=False)
    assert dispatch.qsize() == 1
    dispatch.close()
    events.close()


def test_a_message_that_is_not_complete_is_not_seen(link, options):
    messages = link.SimpleQueue("dispatch")
    (Path(options["data_folder_in"]) / "1_x.dispatch.new").write_text("")
    with pytest.raises(messages.Empty):
        messages.get(block=False)
    messages.close()


def test_two_readers_share_the_messages_of_a_backlog(link, options):
    with Connection("filesystem://localhost/", transport_options=options) as other:
        first, second = link.SimpleQueue("dispatch"), other.SimpleQueue("dispatch")
        for number in range(10):
            first.put(number)
        seen = []
        for _ in range(5):
            for reader in (first, second):
                message = reader.get(block=False)
                message.ack()
                seen.append(message.payload)
        assert sorted(seen) == list(range(10))
        first.close()
        second.close()


def test_emptying_drops_messages_and_half_written_tables(link, options):
    messages = link.SimpleQueue("dispatch")
    messages.put("old")
    (Path(options["control_folder"]) / "broken.exchange").write_text("")
    messages.close()
    broker.empty(options)
    again = link.SimpleQueue("dispatch")
    with pytest.raises(again.Empty):
        again.get(block=False)
    again.close()
    assert not (Path(options["control_folder"]) / "broken.exchange").exists()


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("payments.dispatch", "dispatch"),
        ("payments.inquire", "inquiry"),
        ("payments.sweep", "maintenance"),
        ("events.relay", "events"),
        ("anything.else", "maintenance"),
    ],
)
def test_each_kind_of_work_has_its_queue(task: str, queue: str):
    assert app.amqp.router.route({}, task)["queue"].name == queue


def test_scheduled_messages_cannot_pile_up():
    assert {"payments.sweep", "events.relay"} <= set(app.conf.beat_schedule)
    for entry in app.conf.beat_schedule.values():
        assert entry["options"]["expires"] <= 5 * entry["schedule"]


def test_tasks_are_acknowledged_late_and_never_repeated_by_celery():
    assert isinstance(app, Celery)
    assert app.conf.task_acks_late
    assert app.conf.worker_prefetch_multiplier == 1
    assert not app.conf.task_publish_retry
    assert app.conf.result_backend is None
    assert app.conf.accept_content == ["json"]
