"""What people work on: any thing of any room, named by its type and its public id."""

from dataclasses import dataclass
from typing import ClassVar

from django.db import models


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing somebody works on, ``Subject("entry", "ent_…")``; no foreign key, so it may lie in a higher room."""

    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class AboutSubject(models.Model):
    """A row about one thing."""

    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=120)

    class Meta:
        abstract = True
        ordering: ClassVar = ["id"]

    @property
    def subject(self) -> Subject:
        """What the row is about."""
        return Subject(self.subject_type, self.subject_id)
