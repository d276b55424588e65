"""The Celery application. Its settings are Django's ``CELERY_…``; tasks stand in each app's ``tasks.py``."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_process_init
from kombu.transport import TRANSPORT_ALIASES

from paymentops import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentops.settings")

# The broker made of files, in our form of it; every other broker is kombu's.
TRANSPORT_ALIASES["filesystem"] = "paymentops.local.broker:Transport"

app = Celery("paymentops")
app.config_from_object("django.conf:settings", namespace="CELERY")
# A pool that lost a process may stand still for ever over a broker made of files; ours ends the worker instead.
app.conf.worker_pool = "paymentops.local.pool:TaskPool"
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Leave logging as Django's settings configured it; a receiver of this signal keeps Celery from changing it."""


@worker_process_init.connect
def start_worker_telemetry(**_: Any) -> None:
    """Start telemetry in each pool process: exporter threads do not survive the fork."""
    telemetry.start("worker")


@beat_init.connect
def start_beat_telemetry(**_: Any) -> None:
    """Start telemetry in the scheduler, so that a scheduled task's trace begins where it was due."""
    telemetry.start("beat")
