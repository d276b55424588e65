"""Every address of the system."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from paymentops.local import pages

urlpatterns = [
    path("", RedirectView.as_view(url="/console/"), name="home"),
    path("healthz", pages.healthz, name="healthz"),
    path("readyz", pages.readyz, name="readyz"),
    path("console/", admin.site.urls),
    path("api/v1/", include("paymentops.payments.urls")),
    path("api/v1/", include("paymentops.idempotency.urls")),
    path("api/v1/ledger/", include("ledger.urls")),
    path("api/v1/", include("paymentops.incidents.urls")),
    path("api/v1/reconciliation/", include("reconciliation.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]

handler400 = "paymentops.core.api.bad_request"
handler403 = "paymentops.core.api.permission_denied"
handler404 = "paymentops.core.api.not_found"
handler500 = "paymentops.core.api.server_error"
