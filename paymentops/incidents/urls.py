"""Addresses of incidents below ``/api/v1/``."""

from django.urls import path

from paymentops.incidents.api import IncidentsView, IncidentView

urlpatterns = [
    path("incidents", IncidentsView.as_view(), name="incidents"),
    path("incidents/<str:incident_id>", IncidentView.as_view(), name="incident"),
]
