"""OpenTelemetry: traces of requests, queries, tasks and messages, sent by OTLP over HTTP.

Off, with nothing imported and nothing patched, unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set. The standard ``OTEL_*``
variables (service name, resource attributes, sampler, headers) apply. Statements are recorded with placeholders,
never with their values; no body, key or card number enters a span.
"""

import os
from typing import Final

from django.conf import settings
from django.utils.module_loading import import_string
from opentelemetry import trace

_INSTRUMENTORS: Final = (
    "opentelemetry.instrumentation.django.DjangoInstrumentor",
    "opentelemetry.instrumentation.celery.CeleryInstrumentor",
    "opentelemetry.instrumentation.psycopg.PsycopgInstrumentor",
    "opentelemetry.instrumentation.kafka.KafkaInstrumentor",
)


def start(process: str) -> None:
    """Export the spans of this process, under the service name ``paymentops-<process>``, if an endpoint is configured.

    Call it before the WSGI or ASGI application is made, because Django's instrumentation is a middleware, and after
    a fork, because the exporter is a thread.
    """
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", f"paymentops-{process}")
    # By name, so that a system without an endpoint does not pay half a second and 30 MB per process for them.
    exporter = import_string("opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter")()
    processor = import_string("opentelemetry.sdk.trace.export.BatchSpanProcessor")(exporter)
    provider = import_string("opentelemetry.sdk.trace.TracerProvider")()
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    for name in _INSTRUMENTORS:
        import_string(name)().instrument()
