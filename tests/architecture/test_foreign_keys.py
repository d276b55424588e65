"""Imports go down the layers of .importlinter. Foreign keys do not always show as imports, so they are walked."""

import configparser

import pytest
from django.apps import apps
from django.db.models import Model

from tests.architecture.sources import PACKAGES, ROOT, modules, room


def _layers() -> list[set[str]]:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    lines = contracts["importlinter:contract:layers"]["layers"].strip().splitlines()
    return [{name.strip(" ()") for name in line.split("|")} for line in lines]


def _depths() -> dict[str, int]:
    return {name: depth for depth, names in enumerate(_layers()) for name in names}


def _our_models() -> list[type[Model]]:
    return [model for model in apps.get_models() if model.__module__.partition(".")[0] in PACKAGES]


def _room_of(model: type[Model]) -> str:
    package, _, rest = model.__module__.partition(".")
    return f"{package}.{rest.partition('.')[0]}" if package == "paymentops" else package


@pytest.mark.parametrize("model", _our_models(), ids=lambda model: model._meta.label)
def test_a_foreign_key_points_into_its_own_room_or_a_lower_one(model: type[Model]):
    depths, home = _depths(), _room_of(model)
    for field in model._meta.get_fields():
        other = field.related_model if field.concrete and field.is_relation else None
        if other is None or other not in _our_models() or _room_of(other) == home:
            continue
        assert depths[_room_of(other)] > depths[home], f"{model.__name__}.{field.name} points up to {_room_of(other)}"


def test_every_room_has_its_place_among_the_layers():
    assert {room(path) for path in modules() if path.name != "__init__.py" or path.parent.parent != ROOT} <= set(
        _depths()
    )
