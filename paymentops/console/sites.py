"""The console's site: Unfold's shell with our pages, and a search that never scans a table nor remembers anything."""

import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, re_path
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from paymentops.console import search
from paymentops.console.pages import (
    dead_letters,
    disputes,
    duplicates,
    incidents,
    overview,
    payments,
    providers,
    refunds,
    unknown_outcomes,
)
from paymentops.console.pages.ledger import urls as ledger


class ConsoleSite(UnfoldAdminSite):
    """The default admin site, mounted at ``/console/``."""

    index_title = "Overview"
    index_template = "console/overview.html"
    site_title = site_header = "PaymentOps"

    def extra_urls(self) -> list[URLPattern]:
        """Return the addresses of our own pages; they contain public ids and never change."""
        return [
            re_path(r"^payments/(?P<payment_id>pay_[^/]+)$", self.admin_view(payments.story), name="payment_story"),
            re_path(
                r"^payments/(?P<payment_id>pay_[^/]+)/retries$",
                self.admin_view(payments.retries),
                name="payment_retries",
            ),
            path("sources/<str:source_type>/<uuid:source_id>", self.admin_view(payments.source), name="source"),
            *ledger.addresses(self),
            *disputes.addresses(self),
            *incidents.addresses(self),
            *refunds.addresses(self),
            *unknown_outcomes.addresses(self),
            *providers.addresses(self),
            *dead_letters.addresses(self),
            *duplicates.addresses(self),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show the overview."""
        shown: TemplateResponse = super().index(request, {**(extra_context or {}), **overview.figures(request)})
        return shown

    def search(
        self,
        request: HttpRequest,
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002 - Unfold's signature
    ) -> TemplateResponse | HttpResponse:
        """Answer the command palette: pages by name, and whatever a reference names, exactly as typed."""
        started = time.perf_counter()
        term = request.GET.get("s", "").strip()[: search.LONGEST_TERM]
        if not term:
            return HttpResponse()
        results: list[SearchResult] = [
            *search.find(request, term),
            *self._search_apps(self.get_app_list(request), term.lower()),
        ]
        return self._results(request, term, results, time.perf_counter() - started)

    def _results(
        self, request: HttpRequest, term: str, results: list[SearchResult], seconds: float
    ) -> TemplateResponse:
        context = search.as_page(term, results, seconds)
        return TemplateResponse(
            request, "unfold/helpers/command_results.html", context, headers={"HX-Trigger": "search"}
        )
