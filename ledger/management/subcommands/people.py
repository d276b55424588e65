"""Who acts at the shell, where a person's right is asked for: their name, and their own password."""

import getpass
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import authenticate
from django.core.management.base import CommandError

from paymentops.access.actors import Actor
from paymentops.access.models import User


def add_person(parser: ArgumentParser) -> None:
    """Take who acts."""
    parser.add_argument("--as", dest="user", required=True, help="user name; the password is asked for")


def acting(options: Mapping[str, Any]) -> Actor:
    """Return the person, who gave their password.

    Raises:
        CommandError: there is no such user, or the password is another.
    """
    name = options["user"]
    user = authenticate(username=name, password=_password(name))
    if not isinstance(user, User):
        raise CommandError(f"The password is not that of {name}, or there is no such user.")
    return Actor.person(user)


def _password(name: str) -> str:
    """Ask at a terminal; otherwise read one line, so that another program can pass it on."""
    if sys.stdin.isatty():
        return getpass.getpass(f"Password of {name}: ")
    return sys.stdin.readline().rstrip("\n")
