"""What the tests of reconciliation share: statement files lie in a folder of the test's own."""

import pytest


@pytest.fixture(autouse=True)
def statements_folder(settings, tmp_path):
    folder = tmp_path / "statements"
    kept = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": folder}}
    settings.STORAGES = {**settings.STORAGES, "statements": kept}
    return folder
