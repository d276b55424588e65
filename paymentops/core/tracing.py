"""The trace that the present work belongs to, read from OpenTelemetry's context.

Without a configured exporter there is no span; work then has no trace id and the columns that hold one stay empty.
"""

from opentelemetry import trace


def current_trace_id() -> str:
    """Return the 32 hexadecimal digits of the current W3C trace id, or an empty string without a span."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


def current_traceparent() -> str:
    """Return the W3C ``traceparent`` of the current span, or an empty string without one."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
