from tests.plugins.localstripe import stripe_server  # noqa: F401 - fixtures are taken by name
from tests.plugins.sandbox import sandbox, sandbox_server  # noqa: F401 - fixtures are taken by name
