"""What the command palette finds: one look-up per kind of reference, each by an index."""

from typing import Any, Final

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from ledger.models import Account, Entry
from ledger.queries import journals
from paymentops.access.models import ApiClient
from paymentops.casework import kinds
from paymentops.console import formats
from paymentops.core import ids
from paymentops.events.models import OutboxEvent
from paymentops.payments import queries as payments
from paymentops.payments.states import PaymentState

LONGEST_TERM: Final = 255
_MOST_PAYMENTS: Final = 20


def find(request: HttpRequest, term: str) -> list[SearchResult]:
    """Return what a reference names, as far as the person may look at it.

    Args:
        request: whose rights count.
        term: the reference as typed; references tell capital from small letters.
    """
    return [*_payments(request, term), *_ledger(request, term), *_others(request, term)]


def as_page(term: str, results: list[SearchResult], seconds: float) -> dict[str, Any]:
    """Return the context of Unfold's list of results: one page, because no look-up returns many."""
    pages = Paginator(results, max(1, len(results)))
    return {
        "search_term": term,
        "page_obj": pages,
        "results": pages.page(1),
        "page_counter": 0,
        "execution_time": seconds,
        "command_show_history": False,
    }


def _payments(request: HttpRequest, term: str) -> list[SearchResult]:
    if not request.user.has_perm("payments.view_payment"):
        return []
    found = payments.found_by(text=term).order_by("-id")[:_MOST_PAYMENTS]
    return [
        SearchResult(
            title=f"{payment.reference} · {formats.money(payment.requested, payment.currency)}",
            description=f"{PaymentState(payment.state).label} · {payment.at_provider} · {payment.public_id}",
            link=reverse("admin:payment_story", args=[payment.public_id]),
            icon="payments",
        )
        for payment in found
    ]


def _ledger(request: HttpRequest, term: str) -> list[SearchResult]:
    results = []
    if request.user.has_perm("ledger.view_account"):
        results += [
            SearchResult(
                title=str(account),
                description=account.name,
                link=f"{reverse('admin:ledger_account', args=[account.code])}?currency={account.currency}",
                icon="account_balance",
            )
            for account in Account.objects.filter(code=term)[:_MOST_PAYMENTS]
        ]
    entry_id = _parsed(ids.Prefix.ENTRY, term)
    if entry_id and request.user.has_perm("ledger.view_entry"):
        results += [
            SearchResult(
                title=str(entry),
                description=f"{entry.state.lower()} entry · {entry.description}",
                link=reverse("admin:ledger_entry", args=[str(entry)]),
                icon="receipt_long",
            )
            for entry in Entry.objects.filter(pk=entry_id)
        ]
    proposal_id = _parsed(ids.Prefix.PROPOSAL, term)
    if proposal_id and request.user.has_perm("ledger.view_entry"):
        results += [
            SearchResult(
                title=kinds.registered.named(proposal.kind).title,
                description=f"{formats.state_label(proposal.state)}, by {proposal.proposer} · {proposal.public_id}",
                link=reverse("admin:ledger_journal", args=[proposal.public_id]),
                icon="edit_note",
            )
            for proposal in journals.journal_proposals().filter(pk=proposal_id)
        ]
    return results


def _others(request: HttpRequest, term: str) -> list[SearchResult]:
    results = []
    event_id = _parsed(ids.Prefix.EVENT, term)
    if event_id and request.user.has_perm("events.view_outboxevent"):
        results += [
            SearchResult(
                title=str(event),
                description=event.public_id,
                link=reverse("admin:events_outboxevent_change", args=[event.pk]),
                icon="outbox",
            )
            for event in OutboxEvent.objects.filter(pk=event_id)
        ]
    client_id = _parsed(ids.Prefix.CLIENT, term)
    if client_id and request.user.has_perm("access.view_apiclient"):
        results += [
            SearchResult(
                title=client.name,
                description=client.public_id,
                link=reverse("admin:access_apiclient_change", args=[client.pk]),
                icon="hub",
            )
            for client in ApiClient.objects.filter(pk=client_id)
        ]
    return results


def _parsed(prefix: ids.Prefix, term: str) -> Any:
    try:
        return ids.parse(prefix, term)
    except ids.UnreadableId:
        return None
