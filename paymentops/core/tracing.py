"""The trace that the present work belongs to, read from OpenTelemetry's context.

Without a configured exporter there is no span; work then has no trace id and the columns that hold one stay empty.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def current_trace_id() -> str:
    """Return the 32 hexadecimal digits of the current W3C trace id, or an empty string without a span."""
    span = trace.get_current_span().get_span_context()
    return format(span.trace_id, "032x") if span.is_valid else ""


def current_traceparent() -> str:
    """Return the W3C ``traceparent`` of the current span, or an empty string without one."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return ""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


@contextmanager
def continued(traceparent: str) -> Iterator[None]:
    """Do the work inside as part of the trace that a stored W3C ``traceparent`` names; an empty one changes nothing."""
    if not traceparent:
        yield
        return
    token = context.attach(TraceContextTextMapPropagator().extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        context.detach(token)
