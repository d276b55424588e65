"""What every page of ours does: name the right it needs, stand in the site's shell, and count a form once."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.template.response import TemplateResponse

from paymentops.access import pages as access
from paymentops.access import roles
from paymentops.casework import operations as casework
from paymentops.casework.operations import Submission
from paymentops.core import ids
from paymentops.core.csv_export import Download
from paymentops.core.errors import ApplicationError


def require(request: HttpRequest, permission: str) -> None:
    """Let a person pass who has a permission, ``app.codename``.

    Raises:
        PermissionDenied: they have not; the sentence says which one it takes and which roles bring it.
    """
    if not request.user.has_perm(permission):
        bring = [role.name for role in roles.ROLES if role.allows(permission)]
        raise PermissionDenied(
            f"This needs the right “{permission}”, which comes with: {', '.join(bring) or 'no role'}."
        )


def require_post(request: HttpRequest) -> None:
    """Let only forms pass; an address that changes something does nothing when it is opened.

    Raises:
        Http404: the request is none of a form.
    """
    if request.method != "POST":
        raise Http404("This address takes forms only; open the page that has the form.")


def parse(prefix: ids.Prefix, text: str) -> UUID:
    """Read a public id out of an address.

    Raises:
        Http404: it is none.
    """
    try:
        return ids.parse(prefix, text)
    except ids.UnreadableId as error:
        raise Http404(error.detail) from error


def page(
    request: HttpRequest,
    template: str,
    *,
    title: str,
    context: dict[str, Any],
    refusal: ApplicationError | None = None,
) -> TemplateResponse:
    """Show a template in the shell of the console, with what was refused, if it was, and its status.

    A form on it carries ``form_token``, by which it counts once.
    """
    request.current_app = admin.site.name  # Django and Unfold read it when they reverse names
    return TemplateResponse(
        request,
        template,
        {
            **admin.site.each_context(request),
            "title": title,
            "form_token": secrets.token_urlsafe(24),
            "refusal": refusal,
            **context,
        },
        status=refusal.status if refusal else 200,
    )


def once(request: HttpRequest, *, action: str, work: Callable[[], str], now: datetime) -> Submission:
    """Do what a form asks for, in one transaction; the same form a second time gets the first result.

    Raises:
        InvalidInput: the form carries no usable token.
        ApplicationError: what ``work`` refuses; the form may then be sent again.
    """
    user = access.person(request).user
    if user is None:
        raise PermissionDenied("Only a person sends a form.")
    return casework.submit_once(user=user, action=action, token=request.POST.get("form_token", ""), work=work, now=now)


def file(download: Download) -> StreamingHttpResponse:
    """Send an export as it is made, to be saved."""
    return StreamingHttpResponse(
        download.chunks,
        content_type=download.content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{download.file_name}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )
