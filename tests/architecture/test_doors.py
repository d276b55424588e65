"""What stands on every door: scopes on views, limits on tasks."""

import pytest
from celery import Task, current_app
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from paymentops.access.api import required_scope
from tests.architecture.sources import PACKAGES

_NOT_OURS = "drf_spectacular."
_LONGEST_TASK_SECONDS = 300


def _api_views() -> list[type[APIView]]:
    found = {pattern.callback.cls for pattern in _patterns(get_resolver()) if hasattr(pattern.callback, "cls")}
    return sorted((view for view in found if not view.__module__.startswith(_NOT_OURS)), key=lambda view: view.__name__)


def _patterns(resolver: URLResolver) -> list[URLPattern]:
    found: list[URLPattern] = []
    for entry in resolver.url_patterns:
        found += _patterns(entry) if isinstance(entry, URLResolver) else [entry]
    return found


def _tasks() -> list[Task]:
    current_app.loader.import_default_modules()
    return [task for task in current_app.tasks.values() if task.__module__.partition(".")[0] in PACKAGES]


@pytest.mark.parametrize("view", _api_views(), ids=lambda view: view.__name__)
def test_every_method_of_every_api_view_names_its_scope(view: type[APIView]):
    for method in view().allowed_methods:
        if method != "OPTIONS":
            assert required_scope(view=view(), method=method) is not None


def test_there_are_views_and_tasks_to_look_at():
    assert len(_api_views()) >= 9
    assert len(_tasks()) >= 4


@pytest.mark.parametrize("task", _tasks(), ids=lambda task: task.name)
def test_every_task_has_a_time_limit_and_a_bounded_retry(task: Task):
    assert task.max_retries is not None
    assert not getattr(task, "autoretry_for", ())
    assert 0 < task.soft_time_limit < task.time_limit <= _LONGEST_TASK_SECONDS
    assert task.acks_late


@pytest.mark.parametrize("task", _tasks(), ids=lambda task: task.name)
def test_every_task_goes_to_a_queue_that_a_worker_listens_to(task: Task, settings):
    route = current_app.amqp.router.route({}, task.name)
    assert route["queue"].name in settings.WORKER_QUEUES
