"""Settings of PaymentOps, read from the environment once and loudly.

Every variable is explained in ``.env.example``. ``PAYMENTOPS_DATA_DIR`` names the data directory of the local
system; commands that run in a second terminal reach the same embedded database through it.
"""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from environs import Env

from paymentops.console import palette
from paymentops.local import logs, places, record

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent
if (BASE_DIR / ".env").exists():
    env.read_env(str(BASE_DIR / ".env"))

DATA_DIR = Path(env.str("PAYMENTOPS_DATA_DIR", "") or places.default_data_dir()).expanduser().absolute()
ENVIRONMENT = env.str(
    "PAYMENTOPS_ENVIRONMENT", "local", validate=lambda name: name in ("local", "staging", "production")
)
DEBUG = env.bool("PAYMENTOPS_DEBUG", False)
SECRET_KEY = env.str("PAYMENTOPS_SECRET_KEY", "") or places.local_secret(DATA_DIR, "secret_key", ENVIRONMENT)
ALLOWED_HOSTS = env.list("PAYMENTOPS_ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("PAYMENTOPS_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "paymentops.console",
    "paymentops.console.apps.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_fsm",
    "paymentops",
    "paymentops.access",
    "paymentops.events",
    "paymentops.casework",
    "paymentops.idempotency",
    "paymentops.providers",
    "paymentops.payments",
    "paymentops.incidents",
    "ledger",
    "reconciliation",
]

MIDDLEWARE = [
    "paymentops.core.api.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "paymentops.core.pages.StaticFiles",
    "paymentops.core.pages.ContentSecurityPolicy",
    "paymentops.core.pages.Sessions",
    "django.middleware.common.CommonMiddleware",
    "paymentops.core.pages.Csrf",
    "paymentops.core.pages.Authentication",
    "paymentops.core.pages.Messages",
    "paymentops.core.pages.FrameOptions",
]

ROOT_URLCONF = "paymentops.urls"
WSGI_APPLICATION = "paymentops.wsgi.application"
ASGI_APPLICATION = "paymentops.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- The local system -----------------------------------------------------------------------------------------

# What a running `up` noted in the data directory counts before what it would start with.
_running = record.read(DATA_DIR)
UP_PORT = env.int("PAYMENTOPS_PORT", 8700)
UP_SANDBOX_PORT = env.int("PAYMENTOPS_SANDBOX_PORT", None)
PORT = _running.port if _running else UP_PORT
BASE_URL = env.str("PAYMENTOPS_BASE_URL", f"http://127.0.0.1:{PORT}")
WEB_WORKERS = env.int("PAYMENTOPS_WEB_WORKERS", 2)
WEB_THREADS = env.int("PAYMENTOPS_WEB_THREADS", 4)

# --- Database -------------------------------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", "")
LOCK_TIMEOUT_MS = env.int("PAYMENTOPS_LOCK_TIMEOUT_MS", 5000)
# Servers keep a pool of connections (`manage.py up` sets its size); a command opens the one it needs.
_POOL_SIZE = env.int("PAYMENTOPS_DB_POOL_SIZE", 0)

DATABASES: dict[str, Any] = {
    "default": {
        **dj_database_url.parse(DATABASE_URL or places.embedded_database_url(DATA_DIR)),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            **({"pool": {"min_size": 1, "max_size": _POOL_SIZE, "timeout": 10}} if _POOL_SIZE else {}),
            # Django switches prepared statements off; the hot paths need them.
            "prepare_threshold": 5,
            "options": f"-c lock_timeout={LOCK_TIMEOUT_MS}",
            "application_name": env.str("PAYMENTOPS_PROCESS", "paymentops"),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People and services --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "access.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/console/login/"
LOGIN_REDIRECT_URL = "/console/"

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["paymentops.access.api.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["paymentops.access.api.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["paymentops.core.api.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "paymentops.core.api.problem_response",
    "UNAUTHENTICATED_USER": None,
    "UNICODE_JSON": True,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "PaymentOps API",
    "DESCRIPTION": "Payments accepted exactly once. Every amount is in minor units of its currency.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v[0-9]",
    # Fields of one name and several sets of values: the names of those sets in the document.
    "ENUM_NAME_OVERRIDES": {
        "PaymentState": "paymentops.payments.states.PaymentState",
        "AttemptState": "paymentops.payments.states.AttemptState",
        "RefundState": "paymentops.payments.states.RefundState",
        "DisputeState": "paymentops.payments.states.DisputeState",
        "EvidenceState": "paymentops.payments.states.EvidenceState",
        "EntryState": "ledger.models.State",
        "PeriodState": "ledger.models.PeriodState",
        "IncidentState": "paymentops.incidents.states.State",
        "ProposalState": "paymentops.casework.models.ProposalState",
        "IngestRunState": "reconciliation.states.RunState",
    },
}
# A payment request is small; a batch holds up to 1,000 of them.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("PAYMENTOPS_MAX_BODY_BYTES", 4 * 1024 * 1024)
PREFER_WAIT_MAX_SECONDS = env.int("PAYMENTOPS_PREFER_WAIT_MAX_SECONDS", 30)
IDEMPOTENCY_BODY_RETENTION = timedelta(days=env.int("PAYMENTOPS_IDEMPOTENCY_BODY_DAYS", 30))

# --- Work in the background -----------------------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "filesystem://localhost/")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = places.filesystem_broker_options(DATA_DIR)
# The database is the queue and a message only a doorbell: none is worth waiting for, repeating or keeping.
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_TIMEZONE = "UTC"
# A queue per kind of work, so that each can be given workers of its own. The first pattern that fits counts.
WORKER_QUEUES = ["dispatch", "inquiry", "events", "reconciliation", "maintenance"]
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_ROUTES = [
    [
        ("payments.sweep*", {"queue": "maintenance"}),
        ("payments.inquire*", {"queue": "inquiry"}),
        ("payments.*", {"queue": "dispatch"}),
        ("events.*", {"queue": "events"}),
        ("reconciliation.*", {"queue": "reconciliation"}),
    ]
]
WORKER_CONCURRENCY = env.int("PAYMENTOPS_WORKER_CONCURRENCY", 4)
KAFKA_BOOTSTRAP_SERVERS: list[str] = env.list("KAFKA_BOOTSTRAP_SERVERS", [])
KAFKA_TOPIC = env.str("PAYMENTOPS_KAFKA_TOPIC", "payops.events")
SWEEP_INTERVAL_SECONDS = env.float("PAYMENTOPS_SWEEP_INTERVAL_SECONDS", 2.0)
RELAY_INTERVAL_SECONDS = env.float("PAYMENTOPS_RELAY_INTERVAL_SECONDS", 1.0)
SEAL_INTERVAL_SECONDS = env.float("PAYMENTOPS_SEAL_INTERVAL_SECONDS", 1.0)
# Within this time every account's stored balances are compared with its lines.
BALANCE_CHECK_HOURS = env.float("PAYMENTOPS_BALANCE_CHECK_HOURS", 24)
# A message that no worker took in five intervals is dropped, so they cannot pile up; a busy worker still gets one.
_EVERY_SECONDS = {
    "casework.clear_away": 600.0,
    "payments.sweep": SWEEP_INTERVAL_SECONDS,
    "payments.sweep_webhooks": 600.0,
    "payments.sweep_duplicates": 10.0,
    "events.relay": RELAY_INTERVAL_SECONDS,
    "ledger.seal": SEAL_INTERVAL_SECONDS,
    "payments.sweep_disputes": 60.0,
    "incidents.watch": 30.0,
    "reconciliation.ingest": 5.0,
    "reconciliation.watch_inbox": 10.0,
    "ledger.check_balances": 60.0,
    "ledger.export_roots": 600.0,
}
CELERY_BEAT_SCHEDULE: dict[str, Any] = {
    task: {"task": task, "schedule": seconds, "options": {"expires": 5 * seconds}}
    for task, seconds in _EVERY_SECONDS.items()
}

# --- Providers ------------------------------------------------------------------------------------------------

SANDBOX_PORT = _running.sandbox_port if _running else env.int("PAYMENTOPS_SANDBOX_PORT", UP_PORT + 1000)
SANDBOX_URL = env.str("PAYMENTOPS_SANDBOX_URL", f"http://127.0.0.1:{SANDBOX_PORT}")
SANDBOX_API_KEY = env.str("PAYMENTOPS_SANDBOX_API_KEY", "") or places.local_secret(
    DATA_DIR, "sandbox_api_key", ENVIRONMENT
)
SANDBOX_WEBHOOK_SECRETS = env.list("PAYMENTOPS_SANDBOX_WEBHOOK_SECRETS", []) or [
    places.local_secret(DATA_DIR, "sandbox_webhook_secret", ENVIRONMENT)
]
# How long one call may take, when to ask again after an unknown outcome, and how long "not found" may still be wrong.
SANDBOX_TIMEOUT_SECONDS = env.float("PAYMENTOPS_SANDBOX_TIMEOUT_SECONDS", 3.0)
SANDBOX_INQUIRY_SECONDS: list[float] = env.list(
    "PAYMENTOPS_SANDBOX_INQUIRY_SECONDS", [0.5, 1, 2, 3, 5, 10, 30, 60], subcast=float
)
SANDBOX_VISIBILITY_SECONDS = env.float("PAYMENTOPS_SANDBOX_VISIBILITY_SECONDS", 5.0)
SANDBOX_NOT_FOUND_GAP_SECONDS = env.float("PAYMENTOPS_SANDBOX_NOT_FOUND_GAP_SECONDS", 2.0)
SANDBOX_CAN_INQUIRE = env.bool("PAYMENTOPS_SANDBOX_CAN_INQUIRE", True)
STRIPE_API_KEY = env.str("STRIPE_API_KEY", "")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "")
# Where Stripe sends the payer back to after a step of their bank; without it Stripe's own page is used.
STRIPE_RETURN_URL = env.str("STRIPE_RETURN_URL", "")
STRIPE_WEBHOOK_SECRETS: list[str] = env.list("STRIPE_WEBHOOK_SECRETS", [])
ADYEN_API_BASE = env.str("ADYEN_API_BASE", "https://checkout-test.adyen.com/v71")
ADYEN_API_KEY = env.str("ADYEN_API_KEY", "")
ADYEN_MERCHANT_ACCOUNT = env.str("ADYEN_MERCHANT_ACCOUNT", "")
ADYEN_HMAC_KEYS: list[str] = env.list("ADYEN_HMAC_KEYS", [])
# Where Adyen sends the payer back to after a step of their bank.
ADYEN_RETURN_URL = env.str("ADYEN_RETURN_URL", BASE_URL)
PIX_API_BASE = env.str("PIX_API_BASE", "")
PIX_TOKEN_URL = env.str("PIX_TOKEN_URL", "")
PIX_CLIENT_ID = env.str("PIX_CLIENT_ID", "")
PIX_CLIENT_SECRET = env.str("PIX_CLIENT_SECRET", "")
PIX_SCOPE = env.str("PIX_SCOPE", "cob.read cob.write pix.read pix.write")
PIX_KEY = env.str("PIX_KEY", "")
PIX_WEBHOOK_TOKENS: list[str] = env.list("PIX_WEBHOOK_TOKENS", [])
PIX_EXPIRES_SECONDS = env.int("PIX_EXPIRES_SECONDS", 3600)
PIX_CERTIFICATE_FILE = env.str("PIX_CERTIFICATE_FILE", "")
PIX_PRIVATE_KEY_FILE = env.str("PIX_PRIVATE_KEY_FILE", "")
PIX_AUTHORITIES_FILE = env.str("PIX_AUTHORITIES_FILE", "")
# When circuit breakers open, for how long, and how many probes each stage of recovery lets through.
BREAKER_WINDOW_SECONDS = env.float("PAYMENTOPS_BREAKER_WINDOW_SECONDS", 30)
BREAKER_LEAST_CALLS = env.int("PAYMENTOPS_BREAKER_LEAST_CALLS", 20, validate=lambda number: number > 0)
BREAKER_OPEN_PERCENT = env.int("PAYMENTOPS_BREAKER_OPEN_PERCENT", 50, validate=lambda number: 0 < number <= 100)
BREAKER_OPEN_SECONDS = env.float("PAYMENTOPS_BREAKER_OPEN_SECONDS", 30)
BREAKER_PROBES: list[int] = env.list(
    "PAYMENTOPS_BREAKER_PROBES", [1, 5], subcast=int, validate=lambda n: n[:1] > [0] and n == sorted(set(n))
)
# How long an accepted payment may wait to be sent before it expires unsent.
PAYMENT_TIME_TO_SEND_HOURS = env.int("PAYMENTOPS_TIME_TO_SEND_HOURS", 24)
# The retry policy that new payments are accepted under; one of those in ``payments/policies``.
RETRY_POLICY = env.str("PAYMENTOPS_RETRY_POLICY", "2026-11-22")
# Providers that take over each other's payments, ``stripe+adyen``: they can charge the same payment tokens.
FAILOVER_GROUPS: list[str] = env.list("PAYMENTOPS_FAILOVER_GROUPS", [])
# Longer than any provider call may take: after it, another worker takes an attempt over.
LEASE_SECONDS = env.float("PAYMENTOPS_LEASE_SECONDS", 60)
# The largest notification of a provider that is taken, and for how long its raw bytes are kept.
WEBHOOK_MAX_BYTES = env.int("PAYMENTOPS_WEBHOOK_MAX_BYTES", 1024 * 1024)
WEBHOOK_RETENTION_DAYS = env.int("PAYMENTOPS_WEBHOOK_RETENTION_DAYS", 400)
# Whose disputes are charged to them when they are lost: ids of API clients, cli_…, or * for all; ours otherwise.
CHARGEBACKS_BORNE_BY_CLIENTS: list[str] = env.list("PAYMENTOPS_CHARGEBACKS_BORNE_BY_CLIENTS", [])
# How long before evidence for a dispute is due somebody is told.
DISPUTE_WARNING_DAYS = env.int("PAYMENTOPS_DISPUTE_WARNING_DAYS", 3)
# How long two payments that look alike are suspected to be one, where a client has no window of its own.
DUPLICATE_WINDOW_SECONDS = env.int("PAYMENTOPS_DUPLICATE_WINDOW_SECONDS", 600)
# The most that is refunded without a second person, in minor units, by currency or by client and currency
# ("cli_…:EUR"); and after how many hours one that waits is shown as overdue.
REFUND_APPROVAL_LIMITS: dict[str, int] = env.dict("PAYMENTOPS_REFUND_APPROVAL_LIMITS", {}, subcast_values=int)
REFUND_APPROVAL_HOURS = env.int("PAYMENTOPS_REFUND_APPROVAL_HOURS", 24)
DEFAULT_PROVIDER = env.str("PAYMENTOPS_DEFAULT_PROVIDER", "sandbox")
# Which providers get which payments, in which order and share; read and checked when a process starts.
ROUTES_FILE = env.str("PAYMENTOPS_ROUTES_FILE", "")
# After so many business days (Monday to Friday, UTC) nothing decides an unknown outcome but evidence and two people.
SETTLEMENT_CUT_OFF_DAYS = env.int("PAYMENTOPS_SETTLEMENT_CUT_OFF_DAYS", 3)
SETTLEMENT_CUT_OFF_DAYS_BY_PROVIDER: dict[str, int] = env.dict(
    "PAYMENTOPS_SETTLEMENT_CUT_OFF_DAYS_BY_PROVIDER", {}, subcast_values=int
)
# After so long an unknown outcome opens an incident, and what a provider or payer has in hand counts as overdue.
UNKNOWN_OUTCOME_LIMIT_MINUTES = env.int("PAYMENTOPS_UNKNOWN_OUTCOME_LIMIT_MINUTES", 60)
WAITING_LIMIT_HOURS = env.int("PAYMENTOPS_WAITING_LIMIT_HOURS", 24)

# --- Incidents ------------------------------------------------------------------------------------------------

# How long an acknowledgement counts without anything following, by severity; for how long an incident may be
# suppressed; and after how long without an owner somebody is told.
INCIDENT_ACKNOWLEDGED_MINUTES: dict[str, int] = dict(
    zip(
        ("SEV1", "SEV2", "SEV3", "SEV4"),
        env.list("PAYMENTOPS_INCIDENT_ACKNOWLEDGED_MINUTES", [30, 60, 240, 480], subcast=int),
        strict=True,
    )
)
INCIDENT_SUPPRESSED_DAYS = env.int("PAYMENTOPS_INCIDENT_SUPPRESSED_DAYS", 30)
INCIDENT_UNOWNED_MINUTES = env.int("PAYMENTOPS_INCIDENT_UNOWNED_MINUTES", 30)

# --- Papers that people attach --------------------------------------------------------------------------------

ATTACHMENT_MAX_BYTES = env.int("PAYMENTOPS_ATTACHMENT_MAX_BYTES", 20 * 1024 * 1024)
# How long a file may wait to be attached to something, and how long a form sent twice is recognised.
ATTACHMENT_UNBOUND_HOURS = env.int("PAYMENTOPS_ATTACHMENT_UNBOUND_HOURS", 24)
FORM_TOKEN_DAYS = env.int("PAYMENTOPS_FORM_TOKEN_DAYS", 30)
_ATTACHMENTS_IN_FILES = {"location": str(DATA_DIR / "attachments"), "file_permissions_mode": 0o600}
_ATTACHMENTS_STORAGE = env.str("PAYMENTOPS_ATTACHMENTS_STORAGE", "")
_STATEMENTS_IN_FILES = {"location": str(DATA_DIR / "statements"), "file_permissions_mode": 0o600}
_STATEMENTS_STORAGE = env.str("PAYMENTOPS_STATEMENTS_STORAGE", "")
_ROOTS_IN_FILES = {"location": str(DATA_DIR / "ledger-roots"), "allow_overwrite": True}
_ROOTS_STORAGE = env.str("PAYMENTOPS_LEDGER_ROOTS_STORAGE", "")
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "attachments": {
        "BACKEND": _ATTACHMENTS_STORAGE or "django.core.files.storage.FileSystemStorage",
        "OPTIONS": env.json("PAYMENTOPS_ATTACHMENTS_OPTIONS", {}) if _ATTACHMENTS_STORAGE else _ATTACHMENTS_IN_FILES,
    },
    "statements": {
        "BACKEND": _STATEMENTS_STORAGE or "django.core.files.storage.FileSystemStorage",
        "OPTIONS": env.json("PAYMENTOPS_STATEMENTS_OPTIONS", {}) if _STATEMENTS_STORAGE else _STATEMENTS_IN_FILES,
    },
    # Where the daily roots of the ledger's chain leave the database: better a place that its owner cannot write to.
    "ledger_roots": {
        "BACKEND": _ROOTS_STORAGE or "django.core.files.storage.FileSystemStorage",
        "OPTIONS": env.json("PAYMENTOPS_LEDGER_ROOTS_OPTIONS", {}) if _ROOTS_STORAGE else _ROOTS_IN_FILES,
    },
}

# --- Statement files of providers and banks -------------------------------------------------------------------

STATEMENT_MAX_BYTES = env.int("PAYMENTOPS_STATEMENT_MAX_BYTES", 2 * 1024 * 1024 * 1024)
# How many rows are committed at a time; a worker that dies costs the next one no more than these.
STATEMENT_BATCH_ROWS = env.int("PAYMENTOPS_STATEMENT_BATCH_ROWS", 5000)
# A watched folder with one folder per source, and for how long a file in it must have been left alone.
STATEMENTS_INBOX = env.str("PAYMENTOPS_STATEMENTS_INBOX", "")
STATEMENTS_INBOX_SECONDS = env.float("PAYMENTOPS_STATEMENTS_INBOX_SECONDS", 10)

# --- Console and static files ---------------------------------------------------------------------------------

STATIC_URL = "static/"
# Where collectstatic puts the files; without it they are served from where they are.
STATIC_ROOT = env.str("PAYMENTOPS_STATIC_ROOT", "") or None
WHITENOISE_USE_FINDERS = True
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = "paymentops.console.locale"
SECURE_CSP = {
    "default-src": ["'self'"],
    "script-src": ["'self'", "'unsafe-eval'"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENVIRONMENT == "production"
# Two systems side by side on one host must not log each other out.
SESSION_COOKIE_NAME = f"paymentops_{places.short_name(DATA_DIR)}"
CSRF_COOKIE_NAME = f"paymentops_csrf_{places.short_name(DATA_DIR)}"

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "PaymentOps",
    "SITE_HEADER": "PaymentOps",
    "SITE_SYMBOL": "account_balance_wallet",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "paymentops.console.navigation.environment",
    "STYLES": ["paymentops.console.navigation.stylesheet"],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "paymentops.console.navigation.favicon"}],
    "SIDEBAR": {"navigation": "paymentops.console.navigation.groups", "show_search": True},
    "COLORS": {"primary": palette.PRIMARY},
}

# --- Faults on purpose ----------------------------------------------------------------------------------------

# A folder with a plan of faults, for chaos runs only; see core.failpoints.
FAILPOINTS = env.str("PAYMENTOPS_FAILPOINTS", "")
FAILPOINTS_ALLOWED = env.bool("PAYMENTOPS_FAILPOINTS_ALLOWED", False)

# --- Telemetry ------------------------------------------------------------------------------------------------

OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "")
LOG_LEVEL = env.str("PAYMENTOPS_LOG_LEVEL", "INFO")
HOST_NAME = socket.gethostname()
LOGGING: dict[str, Any] = logs.to_stderr(level=LOG_LEVEL)
