"""The Kafka producer of this process."""

import atexit
from functools import cache

from django.conf import settings
from kafka import KafkaProducer

# Shorter than the relay's time limit, so that a broker that is away never kills a worker.
_DELIVERY_TIMEOUT_MS = 20_000


@cache
def producer() -> KafkaProducer:
    """Return the producer, connecting on first use; see ``connect``."""
    made = connect(bootstrap_timeout_ms=5_000)
    atexit.register(made.close, timeout=5)
    return made


def connect(*, bootstrap_timeout_ms: int) -> KafkaProducer:
    """Make a producer: every replica acknowledges, and resending never doubles a record.

    Raises:
        kafka.errors.KafkaError: no broker answers within ``bootstrap_timeout_ms`` milliseconds.
    """
    return KafkaProducer(
        bootstrap_servers=settings.KAFKA_BOOTSTRAP_SERVERS,
        client_id="paymentops-relay",
        acks="all",
        enable_idempotence=True,
        bootstrap_timeout_ms=bootstrap_timeout_ms,
        delivery_timeout_ms=_DELIVERY_TIMEOUT_MS,
        request_timeout_ms=_DELIVERY_TIMEOUT_MS // 2,
        max_block_ms=_DELIVERY_TIMEOUT_MS // 4,
        linger_ms=5,
    )
