import re

from django.conf import settings


def test_every_setting_is_explained_in_the_example_and_nothing_else_is():
    source = (settings.BASE_DIR / "paymentops" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', source))
    example = (settings.BASE_DIR / ".env.example").read_text()
    explained = re.findall(r"^#([A-Z_]+)=", example, flags=re.MULTILINE)
    assert sorted(explained) == sorted(read)
