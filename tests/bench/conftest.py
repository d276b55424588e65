from tests.plugins.system import system, system_settings

__all__ = ["system", "system_settings"]
