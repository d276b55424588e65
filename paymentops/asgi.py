"""The web process under an ASGI server; ``manage.py up`` serves WSGI."""

import os

from django.core.asgi import get_asgi_application

from paymentops import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentops.settings")
telemetry.start("web")
application = get_asgi_application()
