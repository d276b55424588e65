"""The web process: granian serves ``application``."""

import os

from django.core.wsgi import get_wsgi_application

from paymentops import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentops.settings")
telemetry.start("web")
application = get_wsgi_application()
