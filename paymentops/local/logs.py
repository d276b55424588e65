"""Where log lines go: to standard error, for whoever runs the process to keep."""

from typing import Any


def to_stderr(*, level: str) -> dict[str, Any]:
    """Return Django's ``LOGGING``: one line per record, and libraries only when something is wrong."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "stripe": {"level": "WARNING"},
            # Two lines per task would drown everything else.
            "celery": {"level": "WARNING"},
        },
    }
