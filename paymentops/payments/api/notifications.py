"""The door for providers: signed notifications, checked over the raw bytes."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from paymentops.core import clock
from paymentops.core.api import respond
from paymentops.core.errors import ApplicationError
from paymentops.payments.operations import notifying
from paymentops.providers import registry
from paymentops.providers.contract import InboundWebhook


@method_decorator(csrf_exempt, name="dispatch")
class WebhookView(View):
    """``POST /api/v1/webhooks/{provider}``. A provider authenticates by its signature, not by an API key."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Take a notification in: 200 also for one that was seen before, 400 or 401 for one that is not genuine."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            webhook = InboundWebhook(body=request.body, headers=headers, query=request.GET.dict())
            rows = notifying.receive(provider=provider, webhook=webhook, now=clock.now())
        except ApplicationError as error:
            return respond(error)
        receipt = registry.get(provider).capabilities.webhook_receipt
        if receipt:
            return HttpResponse(receipt, content_type="text/plain")
        return JsonResponse({"states": [row.state for row in rows]})
