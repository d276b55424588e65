from tests.payments.conftest import api, provider, verified
from tests.plugins.sandbox import sandbox, sandbox_server
from tests.plugins.system import system, system_settings

__all__ = ["api", "provider", "sandbox", "sandbox_server", "system", "system_settings", "verified"]
