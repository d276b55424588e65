"""The versions of the retry policy there are: read once, when the process starts, and wrong ones stop it there."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from paymentops.payments.retry import reading
from paymentops.payments.retry.policy import Policy

FOLDER: Final = Path(__file__).parent.parent / "policies"
POLICIES: Final[Mapping[str, Policy]] = MappingProxyType(
    {path.stem: reading.read(path) for path in sorted(FOLDER.glob("*.toml"))}
)


class NoSuchPolicy(LookupError):
    """A version of the policy was named that was never published."""


def policy(version: str) -> Policy:
    """Return the policy a payment was accepted under.

    Raises:
        NoSuchPolicy: this version was never published; the sentence names those that were.
    """
    try:
        return POLICIES[version]
    except KeyError:
        raise NoSuchPolicy(f"There is no retry policy {version!r}; published: {', '.join(POLICIES)}.") from None
