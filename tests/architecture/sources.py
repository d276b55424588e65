"""What the architecture tests read: the files of the product and their syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("paymentops", "ledger", "reconciliation")


def modules() -> Iterator[Path]:
    """Yield every Python file of the product, migrations excepted, sorted."""
    for package in PACKAGES:
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def room(path: Path) -> str:
    """Return the room a file lies in: ``ledger``, ``paymentops.payments``, ``paymentops.urls``."""
    package, *rest = path.relative_to(ROOT).with_suffix("").parts
    return f"{package}.{rest[0]}" if package == "paymentops" else package


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
