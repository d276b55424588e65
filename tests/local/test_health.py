from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from paymentops.local import broker, queries


@pytest.fixture
def unreachable() -> Iterator[BaseDatabaseWrapper]:
    database = ConnectionHandler(
        {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "none", "HOST": "/nowhere"}}
    )["default"]
    yield database
    database.close()


@pytest.fixture
def broker_folder(data_dir: Path, settings) -> Path:
    folder = data_dir / "messages"
    options = {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(data_dir / "c")}
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = options
    broker.create_folders(options)
    return folder


def test_healthz_answers_without_a_database(client):
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_answers_200_when_everything_is_in_order(client, broker_folder):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "checks": {"database": "ok", "broker": "ok", "migrations": "ok"},
    }
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_readyz_names_a_broker_that_cannot_take_messages(client, broker_folder):
    broker_folder.rmdir()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not ready",
        "checks": {"database": "ok", "broker": "The broker's folder cannot be written to.", "migrations": "ok"},
    }


@pytest.mark.django_db
def test_readyz_names_a_migration_that_is_not_applied(client, broker_folder):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert (
        response.json()["checks"]["migrations"] == "1 migrations are not applied, the first is sessions.0001_initial."
    )


@pytest.mark.django_db  # lifts pytest's guard on connections; this one leads nowhere
def test_a_database_that_does_not_answer_is_named(unreachable):
    checks = {check.name: check.failure for check in queries.readiness(unreachable, {"data_folder_out": "/nowhere"})}
    assert checks == {
        "database": "The database does not answer.",
        "broker": "The broker's folder cannot be written to.",
        "migrations": "The database does not answer.",
    }
    assert "does not tell" in queries.migrations_failure(unreachable)


def test_a_broker_on_the_network_that_does_not_answer_is_named():
    with Celery("test", broker="amqp://guest@127.0.0.1:9/", set_as_current=False) as app:
        app.conf.broker_connection_timeout = settings.CELERY_BROKER_CONNECTION_TIMEOUT
        assert queries.link_failure(app) == "The message broker does not answer."


def test_a_broker_on_the_network_that_answers_is_in_order():
    with Celery("test", broker="memory://", set_as_current=False) as app:
        assert queries.link_failure(app) == ""
