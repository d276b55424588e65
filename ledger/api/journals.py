"""The doors through which services propose journals and read what became of them; a person approves in the console."""

from typing import ClassVar, cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.api import bodies, documentation
from ledger.api import questions as q
from ledger.api.proposing import ProposeJournalBody
from ledger.operations import requesting
from ledger.operations.requesting import Requester
from ledger.queries import finding
from paymentops.access.api import Caller
from paymentops.access.models import Scope
from paymentops.core import clock, ids
from paymentops.core.api import request_id
from paymentops.core.json_view import JsonView, NewestFirst
from paymentops.idempotency import keys


class JournalsView(JsonView):
    """Journals that people and services proposed."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ, "POST": Scope.LEDGER_WRITE}

    @extend_schema(**documentation.JOURNALS)
    def get(self, request: Request) -> Response:
        """List proposed journals, newest first."""
        asked = q.JournalsQuestion.of(request)
        pages = NewestFirst()
        rows = pages.paginate_queryset(finding.journals(state=asked.get("state")), request, view=self) or []
        entries = finding.entries_of_journals(rows)
        results = [bodies.journal(row, entry=entries.get(row.pk)) for row in rows]
        return Response({"next": pages.get_next_link(), "previous": pages.get_previous_link(), "results": results})

    @extend_schema(**documentation.PROPOSE_JOURNAL)
    def post(self, request: Request) -> Response:
        """Propose a journal exactly once."""
        key = keys.parse(request.META.get("HTTP_IDEMPOTENCY_KEY"))
        values = ProposeJournalBody().run_validation(request.data)
        made = requesting.request_journal(
            ProposeJournalBody.journal(values),
            reason=values["reason"],
            requester=_requester(request),
            key=key,
            now=clock.now(),
        )
        answer = Response(bodies.accepted_journal(made.proposal), status=201)
        answer["Location"] = f"{request.path}/{made.proposal.public_id}"
        if made.replayed:
            answer["Idempotent-Replayed"] = "true"
        return answer


class JournalView(JsonView):
    """One proposed journal."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.JOURNAL)
    def get(self, request: Request, journal_id: str) -> Response:
        """Show a proposed journal, where it stands, and the entry that it became."""
        q.NoQuestion.of(request)
        row = finding.journal(ids.parse(ids.Prefix.PROPOSAL, journal_id))
        return Response(bodies.journal(row, entry=finding.entries_of_journals([row]).get(row.pk)))


def _requester(request: Request) -> Requester:
    caller = cast("Caller", request.auth)
    found = request_id(request._request)  # noqa: SLF001 - the framework's request is none of Django's
    return Requester(client_id=caller.client_id, api_key_prefix=caller.key_prefix, request_id=found)
