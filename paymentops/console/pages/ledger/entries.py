"""One entry: its lines, its moves and their seals, what it stands for, and asking that it be taken back."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse

from ledger import queries as ledger
from ledger.models import ChainLink, Entry, State
from ledger.operations.journals import FOLLOWS_ITS_THING
from ledger.queries import EntryView
from paymentops.casework import queries as casework
from paymentops.casework.models import Subject
from paymentops.console.pages import shell
from paymentops.core import ids
from paymentops.core.errors import ApplicationError

_WITH_STORY: Final = ("payment", "capture", "refund")


@dataclass(frozen=True, slots=True)
class Total:
    """Debits and credits of an entry in one currency, both positive, in minor units."""

    currency: str
    debits: int
    credits: int


def entry(request: HttpRequest, entry_id: str) -> TemplateResponse:
    """Show one entry with its lines, its moves and what it stands for.

    Raises:
        PermissionDenied: the person may not look at entries.
        Http404: there is no such entry.
    """
    return shown(request, entry_id)


def shown(request: HttpRequest, entry_id: str, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    """Show one entry, with what was refused about it, if it was; see ``entry``."""
    shell.require(request, "ledger.view_entry")
    found = find(entry_id)
    view = ledger.view(found)
    context = {
        "entry": view,
        "totals": _totals(view),
        "source": _source(view),
        "reversed_by": Entry.objects.filter(reverses=found).first(),
        "links": _links(found),
        **_reversal(request, view),
    }
    return shell.page(request, "console/ledger/entry.html", title="Ledger entry", context=context, refusal=refusal)


def find(entry_id: str) -> Entry:
    """Return the entry of an address with its lines and moves.

    Raises:
        Http404: there is none.
    """
    wanted = shell.parse(ids.Prefix.ENTRY, entry_id)
    found = ledger.with_story(Entry.objects.filter(pk=wanted)).first()
    if found is None:
        raise Http404("There is no entry under this id.")
    return found


def _source(view: EntryView) -> dict[str, str]:
    """Return where the entry's cause can be looked at: the payment's story, or the journal that two people made."""
    if view.source_type in _WITH_STORY:
        return {"story": "yes"}
    if view.source_type == "journal":
        return {"journal": ids.public(ids.Prefix.PROPOSAL, view.source_id)}
    return {}


def _links(found: Entry) -> dict[str, ChainLink]:
    """Return the seal of each move by the state it led to; no state of an entry is ever entered twice."""
    links = ChainLink.objects.filter(transition__entry=found).select_related("transition")
    return {link.transition.to_state: link for link in links}


def _reversal(request: HttpRequest, view: EntryView) -> dict[str, Any]:
    """Say whether this person may ask that the entry be taken back, and why not."""
    waiting = casework.open_proposals(Subject("entry", view.id)).first()
    may = request.user.has_perm("ledger.propose_journal")
    follows = view.source_type in FOLLOWS_ITS_THING
    return {
        "waiting": waiting,
        "may_reverse": may and view.state == State.POSTED and not follows and waiting is None,
        "may_correct": may and view.state == State.POSTED and follows,
    }


def _totals(view: EntryView) -> list[Total]:
    return [
        Total(
            currency,
            debits=sum(line.amount for line in view.lines if line.currency == currency and line.amount > 0),
            credits=-sum(line.amount for line in view.lines if line.currency == currency and line.amount < 0),
        )
        for currency in sorted({line.currency for line in view.lines})
    ]
