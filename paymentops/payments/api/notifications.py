"""The door for providers: signed notifications, checked over the raw bytes."""

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
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


class NotificationTooLarge(ApplicationError):
    """A notification has more bytes than any provider sends; none of them were kept."""

    code = "request.too_large"
    status = 413
    title = "The body is too large"


@method_decorator(csrf_exempt, name="dispatch")
class WebhookView(View):
    """``POST /api/v1/webhooks/{provider}``. A provider authenticates by its signature, not by an API key."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Take a notification in: 200 once its bytes are kept, 400 or 401 for one that is stale or not genuine."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            webhook = InboundWebhook(body=_body(request), headers=headers, query=request.GET.dict())
            states = notifying.receive(provider=provider, webhook=webhook, now=clock.now())
        except ApplicationError as error:
            return respond(error)
        receipt = registry.get(provider).capabilities.webhook_receipt
        if receipt:
            return HttpResponse(receipt, content_type="text/plain")
        return JsonResponse({"states": states})


def _body(request: HttpRequest) -> bytes:
    """Return the raw bytes, looking at the declared length before reading any.

    Raises:
        NotificationTooLarge: there are more than ``WEBHOOK_MAX_BYTES``.
    """
    most = settings.WEBHOOK_MAX_BYTES
    declared = request.META.get("CONTENT_LENGTH") or "0"
    try:
        if not declared.isdigit() or int(declared) > most or len(request.body) > most:
            raise NotificationTooLarge(f"A notification has at most {most} bytes.")
    except RequestDataTooBig as error:
        raise NotificationTooLarge(f"A notification has at most {most} bytes.") from error
    return request.body
