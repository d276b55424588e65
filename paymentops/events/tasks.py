"""The workers' door to the relay. It may run twice: only one relay works at a time."""

from typing import Final

from celery import shared_task
from django.conf import settings

from paymentops.core import clock
from paymentops.events import operations
from paymentops.events.producer import producer

_EVENTS_PER_RUN: Final = 1000


@shared_task(name="events.relay", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def relay() -> None:
    """Deliver what is due to subscribers; ring for publication where Kafka is configured."""
    operations.deliver_due(now=clock.now(), limit=_EVENTS_PER_RUN)
    if settings.KAFKA_BOOTSTRAP_SERVERS:
        publish.apply_async(expires=settings.RELAY_INTERVAL_SECONDS)


@shared_task(name="events.publish", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def publish() -> None:
    """Publish what is pending to Kafka."""
    operations.publish_due(
        connect=producer,
        topic=settings.KAFKA_TOPIC,
        source=f"/paymentops/{settings.ENVIRONMENT}",
        now=clock.now(),
        limit=_EVENTS_PER_RUN,
    )
