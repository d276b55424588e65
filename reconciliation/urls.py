"""Addresses of reconciliation below ``/api/v1/reconciliation/``."""

from django.urls import path

from reconciliation.api import files

urlpatterns = [
    path("sources/<str:name>/files", files.FilesView.as_view(), name="reconciliation-files"),
    path("files/<str:file_id>", files.FileView.as_view(), name="reconciliation-file"),
    path("files/<str:file_id>/rejects", files.RejectsView.as_view(), name="reconciliation-rejects"),
    path("files/<str:file_id>/changes", files.ChangesView.as_view(), name="reconciliation-changes"),
]
