"""Every table is listed in one order only, and no rule stands without a name."""

import pytest
from django.apps import apps
from django.db.models import Model, UniqueConstraint
from django_fsm import FSMField

from tests.architecture.sources import PACKAGES


def _our_models() -> list[type[Model]]:
    return [model for model in apps.get_models() if model.__module__.partition(".")[0] in PACKAGES]


def _unique_rules(model: type[Model]) -> list[UniqueConstraint]:
    rules = [rule for rule in model._meta.constraints if isinstance(rule, UniqueConstraint)]
    return [rule for rule in rules if rule.condition is None]


@pytest.mark.parametrize("model", _our_models(), ids=lambda model: model._meta.label)
def test_every_order_is_total(model: type[Model]):
    ordering = model._meta.ordering
    if not ordering:
        return
    names = {str(name).lstrip("-").removesuffix("_id") for name in ordering}
    unique = [{model._meta.pk.name}, {"pk"}, *(set(rule.fields) for rule in _unique_rules(model))]
    assert any(fields and fields <= names for fields in unique), f"{model.__name__} is ordered by {ordering}"


@pytest.mark.parametrize("model", _our_models(), ids=lambda model: model._meta.label)
def test_states_are_moved_by_transitions_only(model: type[Model]):
    assert all(field.protected for field in model._meta.get_fields() if isinstance(field, FSMField))


def test_only_the_ledger_names_its_tables_for_writing():
    """The ledger's tables belong to its models; nobody else declares a model on them."""
    strangers = [
        model._meta.label
        for model in _our_models()
        if model._meta.db_table.startswith("ledger_") and not model.__module__.startswith("ledger.")
    ]
    assert strangers == []
