"""Health pages, for supervisors and load balancers: no login, no secrets."""

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from paymentops.local import queries


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 while this process can answer at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when database, broker and migrations are in order, else 503 naming what is not."""
    checks = queries.readiness(connection, settings.CELERY_BROKER_TRANSPORT_OPTIONS)
    ready = not any(check.failure for check in checks)
    body = {
        "status": "ready" if ready else "not ready",
        "checks": {check.name: check.failure or "ok" for check in checks},
    }
    return JsonResponse(body, status=200 if ready else 503)
