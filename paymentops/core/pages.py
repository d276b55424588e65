"""Django's middleware for people's pages, kept out of the way of services.

The API knows no session, no form and no message, and it is the hot path: its requests pass these by.
"""

from typing import Any, Final

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csp import ContentSecurityPolicyMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin
from whitenoise.middleware import WhiteNoiseMiddleware

_SERVICES: Final = "/api/v1/"


class ForPagesOnly(MiddlewareMixin):
    """Lets requests of services through untouched."""

    def __call__(self, request: HttpRequest) -> Any:
        """Pass a service's request straight on."""
        if request.path_info.startswith(_SERVICES):
            return self.get_response(request)
        return super().__call__(request)


class StaticFiles(WhiteNoiseMiddleware):
    """Serves static files; no address of a service is one."""

    def __call__(self, request: HttpRequest) -> Any:
        """Pass a service's request straight on."""
        if request.path_info.startswith(_SERVICES):
            return self.get_response(request)
        return super().__call__(request)


class ContentSecurityPolicy(ForPagesOnly, ContentSecurityPolicyMiddleware):
    """Says what a page may load."""


class Sessions(ForPagesOnly, SessionMiddleware):
    """Knows who signed in."""


class Csrf(ForPagesOnly, CsrfViewMiddleware):
    """Refuses forms of other sites."""

    def process_view(
        self, request: HttpRequest, callback: Any, callback_args: tuple[Any, ...], callback_kwargs: dict[str, Any]
    ) -> Any:
        """Leave services alone: they authenticate every request by a key or a signature, never by a cookie."""
        if request.path_info.startswith(_SERVICES):
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)


class Authentication(ForPagesOnly, AuthenticationMiddleware):
    """Names the person behind the session."""


class Messages(ForPagesOnly, MessageMiddleware):
    """Carries messages to the next page."""


class FrameOptions(ForPagesOnly, XFrameOptionsMiddleware):
    """Refuses to be framed."""
