"""What every page of ours does: name the right it needs, and stand in the site's shell."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse

from paymentops.core import ids


def require(request: HttpRequest, permission: str) -> None:
    """Let a person pass who has a permission, ``app.codename``.

    Raises:
        PermissionDenied: they have not; the sentence says which one it takes.
    """
    if not request.user.has_perm(permission):
        raise PermissionDenied(f"This page needs the right “{permission}”.")


def parse(prefix: ids.Prefix, text: str) -> UUID:
    """Read a public id out of an address.

    Raises:
        Http404: it is none.
    """
    try:
        return ids.parse(prefix, text)
    except ids.UnreadableId as error:
        raise Http404(error.detail) from error


def page(request: HttpRequest, template: str, *, title: str, context: dict[str, Any]) -> TemplateResponse:
    """Show a template in the shell of the console."""
    request.current_app = admin.site.name  # Django and Unfold read it when they reverse names
    return TemplateResponse(request, template, {**admin.site.each_context(request), "title": title, **context})
