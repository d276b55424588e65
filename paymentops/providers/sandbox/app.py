"""The sandbox's HTTP interface: moving money, inquiries, the payer's page, and an administrator's view of the truth.

==========================================  =======================================================================
``POST /v1/charges``                        reference, amount, currency, method, source, capture
``POST /v1/charges/{id}/captures``          reference, amount, final
``POST /v1/charges/{id}/voids``             reference, amount (all that is left without one)
``POST /v1/charges/{id}/refunds``           reference, amount
``POST /v1/completions``                    key, details: what the payer brought back for a charge that waits
``POST /v1/withdrawals``                    key: take back a charge that waits
``GET /v1/operations?key=`` / ``reference=``  what became of earlier requests
``GET``/``POST /pay/{operation}``           the payer's page; ``?result=decline`` declines
``PUT /admin/faults``, ``GET``              the fault profile
``GET /admin/truth?after=&limit=``          every charge that really happened; ``DELETE`` forgets everything
``POST /admin/charges/{id}/disputes``       opens a dispute; all of it may be left out: status, stage, amount, currency,
                                            fee, reason, evidence_due_at
``POST /admin/disputes/{id}``               moves a dispute: the same names
``POST /admin/reversals``                   takes back what an operation moved: operation, amount (or all), code
``GET /admin/events?after=``                every notification and how often it was delivered
``GET /admin/struck``                       how often each fault has struck
==========================================  =======================================================================

All but the payer's page and ``/healthz`` need ``Authorization: Bearer <key>``; money needs an ``Idempotency-Key``.
"""

import asyncio
import contextlib
import hmac
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from paymentops.providers.sandbox import faults, reversals, struck, wire
from paymentops.providers.sandbox.disputes import Disputes
from paymentops.providers.sandbox.notices import Courier, Destination
from paymentops.providers.sandbox.tokens import TOKENS, Fault, Kind, Notice
from paymentops.providers.sandbox.truth import Done, Order, Refused, Truth

type Handler = Callable[[Request], Awaitable[Response]]
_EARLY_SECONDS = 0.3


class Sandbox:
    """The provider: its truth, its present faults and the doors to both."""

    def __init__(self, *, folder: Path, api_key: str, destination: Destination) -> None:
        self._truth = Truth(folder)
        self._disputes = Disputes(self._truth)
        self._api_key = api_key
        self._profile = faults.Profile()
        self._courier = Courier(truth=self._truth, destination=destination, profile=lambda: self._profile)
        self._asked: Counter[str] = Counter()
        self._late: set[asyncio.Task[None]] = set()

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/healthz", self._health),
                Route("/v1/charges", self._money(Kind.CHARGE), methods=["POST"]),
                Route("/v1/charges/{charge_id}/captures", self._money(Kind.CAPTURE), methods=["POST"]),
                Route("/v1/charges/{charge_id}/voids", self._money(Kind.VOID), methods=["POST"]),
                Route("/v1/charges/{charge_id}/refunds", self._money(Kind.REFUND), methods=["POST"]),
                Route("/v1/completions", self._change(Kind.COMPLETION), methods=["POST"]),
                Route("/v1/withdrawals", self._change(Kind.WITHDRAWAL), methods=["POST"]),
                Route("/v1/operations", self._guarded(self._inquire)),
                Route("/redirect/{operation_id}", self._page_to_come_back_from),
                Route("/challenge/{operation_id}", self._page_to_come_back_from),
                Route("/pay/{operation_id}", self._payer_page),
                Route("/pay/{operation_id}", self._payer_decides, methods=["POST"]),
                Route("/admin/faults", self._guarded(self._show_faults)),
                Route("/admin/faults", self._guarded(self._set_faults), methods=["PUT"]),
                Route("/admin/truth", self._guarded(self._show_truth)),
                Route("/admin/truth", self._guarded(self._forget), methods=["DELETE"]),
                Route("/admin/charges/{charge_id}/disputes", self._guarded(self._open_dispute), methods=["POST"]),
                Route("/admin/disputes/{dispute_id}", self._guarded(self._move_dispute), methods=["POST"]),
                Route("/admin/reversals", self._guarded(self._take_back), methods=["POST"]),
                Route("/admin/events", self._guarded(self._show_events)),
                Route("/admin/struck", self._guarded(self._show_struck)),
            ],
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        courier = asyncio.create_task(self._courier.run())
        yield
        courier.cancel()
        await asyncio.gather(courier, *self._late, return_exceptions=True)
        self._truth.close()

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._api_key}".encode()):
                return wire.error(status=401, code="unauthorized", message="The API key is missing or wrong.")
            try:
                return await handler(request)
            except Refused as refused:
                return wire.refusal(refused)

        return guarded

    def _money(self, kind: Kind) -> Handler:
        async def move(request: Request) -> Response:
            order = await wire.read_order(request, kind=kind)
            now = wire.read_moment(request)
            if self._profile.latency_ms:
                await asyncio.sleep(self._profile.latency_ms / 1000)
            return await self._dispatch(request, order=order, now=now)

        return self._guarded(move)

    async def _dispatch(self, request: Request, *, order: Order, now: datetime) -> Response:
        name = order.token or self._truth.token_of(order.charge_id)
        if order.kind is Kind.CHARGE and name not in TOKENS:
            raise Refused(status=422, code="unknown_token", message="There is no such payment token.")
        dispatch = self._truth.count_dispatch(order.key)
        verdict = faults.judge(
            token=TOKENS.get(name, TOKENS["tok_approved"]),
            kind=order.kind,
            key=order.key,
            dispatch=dispatch,
            profile=self._profile,
            earlier=self._truth.charges_before(reference=order.reference, key=order.key),
        )
        if verdict.fault is not Fault.NONE:
            struck.count(self._truth, verdict.fault)
        base = f"{request.url.scheme}://{request.url.netloc}"

        def carry_out() -> Done:
            return self._carry_out(order, verdict=verdict, base=base, now=now)

        before = await self._fail_before_effect(request, fault=verdict.fault, carry_out=carry_out)
        if before is not None:
            return before
        done = carry_out()
        if verdict.notice is Notice.EARLY and not done.replayed:
            await asyncio.sleep(_EARLY_SECONDS)
        return await self._answer(request, done=done, fault=verdict.fault)

    def _carry_out(self, order: Order, *, verdict: faults.Verdict, base: str, now: datetime) -> Done:
        done = self._truth.carry_out(
            order,
            verdict=verdict,
            key_ignored=verdict.fault is Fault.KEY_IGNORED,
            base=base,
            settle_due=time.time() + self._profile.pending_seconds,
            now=now,
        )
        if not done.replayed:
            self._courier.announce(done.operation)
        return done

    def _change(self, kind: Kind) -> Handler:
        """Serve a change of a charge that waits; it is the same however often it is asked for."""

        async def change(request: Request) -> Response:
            key, result = await wire.read_change(request)
            now = wire.read_moment(request)
            if self._profile.latency_ms:
                await asyncio.sleep(self._profile.latency_ms / 1000)
            verdict = faults.judge(
                token=TOKENS.get(self._truth.token_under(key), TOKENS["tok_approved"]),
                kind=kind,
                key=f"{kind}:{key}",
                dispatch=self._truth.count_dispatch(f"{kind}:{key}"),
                profile=self._profile,
            )

            def carry_out() -> Done:
                if kind is Kind.COMPLETION:
                    done = self._truth.complete(key, result=result, now=now)
                else:
                    done = self._truth.withdraw(key, now=now)
                if not done.replayed:
                    self._courier.announce(done.operation)
                return done

            before = await self._fail_before_effect(request, fault=verdict.fault, carry_out=carry_out)
            return before or await self._answer(request, done=carry_out(), fault=verdict.fault)

        return self._guarded(change)

    async def _fail_before_effect(
        self, request: Request, *, fault: Fault, carry_out: Callable[[], Done]
    ) -> Response | None:
        """Answer a request whose fault strikes before the money moves; ``None`` when there is no such fault."""
        if fault is Fault.RATE_LIMITED:
            return wire.error(
                status=429, code="rate_limited", message="Too many requests.", headers={"Retry-After": "1"}
            )
        if fault is Fault.UNAVAILABLE:
            headers = {"Retry-After": "1", "Sandbox-Not-Executed": "true"}
            return wire.error(status=503, code="unavailable", message="Not executed; try again.", headers=headers)
        if fault is Fault.ERROR_BEFORE:
            return _server_error()
        if fault is Fault.LATE_EFFECT:
            self._effect_later(carry_out)
        if fault in {Fault.TIMEOUT_BEFORE, Fault.LATE_EFFECT}:
            await wire.hold_open(request, seconds=self._profile.hang_seconds)
            return _server_error()
        return None

    async def _answer(self, request: Request, *, done: Done, fault: Fault) -> Response:
        """Answer a request that was carried out, in the way its fault wants."""
        answer = wire.operation_answer(done.operation, replayed=done.replayed)
        if fault is Fault.NONE:
            return answer
        if fault is Fault.TIMEOUT_AFTER:
            await wire.hold_open(request, seconds=self._profile.hang_seconds)
            return _server_error()
        if fault is Fault.SLOW:
            await asyncio.sleep(self._profile.slow_seconds)
        if fault is Fault.UNKNOWN_STATUS:
            return JSONResponse({**done.operation, "status": "parked_for_audit"}, status_code=200)
        if fault is Fault.DRIP:
            return wire.DrippingAnswer(bytes(answer.body), status_code=201, media_type="application/json")
        return {
            Fault.ERROR_AFTER: _server_error(),
            Fault.GARBAGE: HTMLResponse("<html><body>502 Bad Gat", status_code=200),
            Fault.RESET: wire.BrokenAnswer(),
        }.get(fault, answer)

    def _effect_later(self, carry_out: Callable[[], Done]) -> None:
        async def later() -> None:
            await asyncio.sleep(self._profile.late_effect_seconds)
            with contextlib.suppress(Refused):
                carry_out()

        task = asyncio.create_task(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _inquire(self, request: Request) -> Response:
        key, reference = request.query_params.get("key", ""), request.query_params.get("reference", "")
        if not key and not reference:
            raise Refused(status=400, code="invalid_request", message="Ask by key or by reference.")
        self._asked[key or reference] += 1
        asked = self._asked[key or reference]
        fault = faults.inquiry_fault(key=key or reference, asked=asked, profile=self._profile)
        if fault is not Fault.NONE:
            struck.count(self._truth, "inquiry_timeout" if fault is Fault.TIMEOUT_BEFORE else "inquiry_error")
        if fault is Fault.TIMEOUT_BEFORE:
            await request.body()
            await wire.hold_open(request, seconds=self._profile.hang_seconds)
        if fault is not Fault.NONE:
            return _server_error()
        return JSONResponse({"object": "list", "data": self._truth.operations(key=key, reference=reference)})

    async def _payer_page(self, request: Request) -> Response:
        del request
        return HTMLResponse(
            "<!doctype html><title>Sandbox</title><h1>Confirm the payment</h1><form method=post>"
            "<button formaction='?result=approve'>Approve</button> "
            "<button formaction='?result=decline'>Decline</button></form>"
        )

    async def _page_to_come_back_from(self, request: Request) -> Response:
        del request
        return HTMLResponse(
            "<!doctype html><title>Sandbox</title><h1>Confirm the payment</h1><p>Nothing is decided here. Resume the "
            "payment with the detail <code>result</code>: <code>approve</code>, <code>decline</code>, "
            "<code>abandon</code>, or <code>step_up</code> for another step."
        )

    async def _payer_decides(self, request: Request) -> Response:
        approve = request.query_params.get("result", "approve") != "decline"
        try:
            now = wire.read_moment(request)
        except Refused as refused:
            return wire.refusal(refused)
        settled = self._truth.settle(request.path_params["operation_id"], approve=approve, now=now)
        if settled is None:
            return HTMLResponse("<!doctype html><title>Sandbox</title><p>Nothing waits here.", status_code=404)
        self._courier.announce(settled)
        return HTMLResponse("<!doctype html><title>Sandbox</title><p>Thank you. You can close this page.")

    async def _health(self, request: Request) -> Response:
        del request
        return JSONResponse({"status": "ok"})

    async def _show_faults(self, request: Request) -> Response:
        del request
        return JSONResponse(self._profile.as_json())

    async def _set_faults(self, request: Request) -> Response:
        try:
            self._profile = faults.read_profile(await wire.read_object(request))
        except faults.UnreadableProfile as unreadable:
            raise Refused(status=422, code="profile_unreadable", message=str(unreadable)) from unreadable
        return JSONResponse(self._profile.as_json())

    async def _show_truth(self, request: Request) -> Response:
        try:
            after = int(request.query_params.get("after", "0"))
            limit = min(10_000, int(request.query_params.get("limit", "1000")))
        except ValueError as error:
            raise Refused(status=400, code="invalid_request", message="after and limit are numbers.") from error
        charges = self._truth.charges(after=after, limit=limit)
        following = charges[-1]["seq"] if len(charges) == limit else None
        return JSONResponse({"charges": charges, "next": following})

    async def _open_dispute(self, request: Request) -> Response:
        change, now = await wire.read_dispute(request), wire.read_moment(request)
        dispute = self._disputes.open(request.path_params["charge_id"], change, now=now)
        self._courier.announce_dispute(dispute)
        return JSONResponse(dispute, status_code=201)

    async def _move_dispute(self, request: Request) -> Response:
        change, now = await wire.read_dispute(request), wire.read_moment(request)
        dispute = self._disputes.change(request.path_params["dispute_id"], change, now=now)
        self._courier.announce_dispute(dispute)
        return JSONResponse(dispute)

    async def _take_back(self, request: Request) -> Response:
        reversal = await wire.read_reversal(request)
        operation = reversals.take_back(
            self._truth,
            reversal.operation_id,
            amount=reversal.amount,
            code=reversal.code,
            now=wire.read_moment(request),
        )
        self._courier.announce_reversal(operation)
        return JSONResponse(operation)

    async def _show_events(self, request: Request) -> Response:
        try:
            after = int(request.query_params.get("after", "0"))
        except ValueError as error:
            raise Refused(status=400, code="invalid_request", message="after is a number.") from error
        return JSONResponse({"events": self._courier.events(after=after)})

    async def _show_struck(self, request: Request) -> Response:
        del request
        return JSONResponse(struck.counts(self._truth))

    async def _forget(self, request: Request) -> Response:
        del request
        self._truth.forget_everything()
        self._asked.clear()
        self._profile = faults.Profile()
        return Response(status_code=204)


def _server_error() -> Response:
    return wire.error(status=500, code="internal", message="Something went wrong.")
