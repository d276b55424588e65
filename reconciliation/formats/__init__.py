"""Readers of statement files: one module per format, all behind ``contract``; callers use ``registry.read``."""
