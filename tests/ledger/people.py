"""Shared words of the tests in which people act on the books: makers, checkers and the files they attach."""

from uuid import UUID

from django.contrib.auth.models import Group
from django.core.files.base import ContentFile

from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import operations as casework
from tests.ledger.books import day


def person(name: str, role: str = "Finance approver", *, superuser: bool = False) -> Actor:
    user = User.objects.create_user(name, is_staff=True, is_superuser=superuser)
    user.groups.add(Group.objects.get(name=role))
    return Actor.person(User.objects.get(pk=user.pk))


def evidence(by: Actor, text: str = "Statement of the bank, page 3") -> list[UUID]:
    return [casework.upload(ContentFile(text.encode()), name="evidence.txt", by=by, now=day(0)).pk]
