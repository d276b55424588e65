"""CNAB 240 layouts as data: where each field stands, in the positions of the banks' manuals (from 1, both included).

``FEBRABAN`` is the common standard (Layout Padrão FEBRABAN 240 posições, versions 08 and later); a bank's layout says
where it differs. Adding a bank is adding an entry here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

type Span = tuple[int, int]
type Fields = Mapping[str, Span]

FILE_HEADER: Final[Fields] = MappingProxyType(
    {"account": (53, 71), "direction": (143, 143), "created": (144, 151), "sequence": (158, 163), "version": (164, 166)}
)
LOT_HEADER: Final[Fields] = MappingProxyType(
    {"service": (10, 11), "opening_day": (143, 150), "opening": (151, 168), "opening_sign": (169, 169)}
)
LOT_TRAILER: Final[Fields] = MappingProxyType(
    {
        "records": (18, 23),
        "closing": (151, 168),
        "closing_sign": (169, 169),
        "debits": (177, 194),
        "credits": (195, 212),
        "paid": (24, 41),
    }
)
# Titles by portfolio: number and value of each, which a bank may leave at zero.
TITLES: Final[tuple[tuple[Span, Span], ...]] = (
    ((24, 29), (30, 46)),
    ((47, 52), (53, 69)),
    ((70, 75), (76, 92)),
    ((93, 98), (99, 115)),
)
FILE_TRAILER: Final[Fields] = MappingProxyType({"lots": (18, 23), "records": (24, 29)})

_T: Final[Fields] = MappingProxyType(
    {
        "movement": (16, 17),
        "our_number": (38, 57),
        "document": (59, 73),
        "due": (74, 81),
        "face": (82, 96),
        "company_use": (106, 130),
        "tariff": (199, 213),
        "reasons": (214, 223),
    }
)
_U: Final[Fields] = MappingProxyType(
    {
        "movement": (16, 17),
        "interest": (18, 32),
        "discount": (33, 47),
        "abatement": (48, 62),
        "tax": (63, 77),
        "paid": (78, 92),
        "net": (93, 107),
        "other_expenses": (108, 122),
        "other_credits": (123, 137),
        "moved": (138, 145),
        "credited": (146, 153),
    }
)
_E: Final[Fields] = MappingProxyType(
    {
        "nature": (109, 111),
        "booked": (135, 142),
        "moved": (143, 150),
        "amount": (151, 168),
        "sign": (169, 169),
        "category": (170, 172),
        "code": (173, 176),
        "description": (177, 201),
        "document": (202, 240),
    }
)
_A: Final[Fields] = MappingProxyType(
    {
        "name": (44, 73),
        "document": (74, 93),
        "day": (94, 101),
        "amount": (120, 134),
        "our_number": (135, 154),
        "real_day": (155, 162),
        "real_amount": (163, 177),
        "occurrences": (231, 240),
    }
)
_J: Final[Fields] = MappingProxyType(
    {
        "barcode": (18, 61),
        "name": (62, 91),
        "real_day": (145, 152),
        "real_amount": (153, 167),
        "amount": (153, 167),
        "day": (145, 152),
        "document": (183, 202),
        "our_number": (203, 222),
        "occurrences": (231, 240),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One bank's layout.

    Args:
        banks: the codes of the banks that use it.
        title, settlement: segments T and U of a collection return.
        statement, transfer, bill: segments E (account statement), A (payments) and J (paid bills).
        paid: movement codes that moved money; ``tariffs``: those that charge the bank's tariff.
        titles_are_totals: the lot trailer counts the titles of this lot (some banks tell their whole portfolio there).
    """

    name: str
    banks: frozenset[str] = frozenset()
    title: Fields = _T
    settlement: Fields = _U
    statement: Fields = _E
    transfer: Fields = _A
    bill: Fields = _J
    paid: frozenset[str] = frozenset({"06", "17"})
    tariffs: frozenset[str] = frozenset({"28"})
    titles_are_totals: bool = True


FEBRABAN: Final = Layout(name="febraban")
LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {
        layout.name: layout
        for layout in (
            FEBRABAN,
            replace(
                FEBRABAN,
                name="santander",
                banks=frozenset({"033"}),
                title=MappingProxyType(
                    {
                        "movement": (16, 17),
                        "our_number": (41, 53),
                        "document": (55, 69),
                        "due": (70, 77),
                        "face": (78, 92),
                        "company_use": (101, 125),
                        "tariff": (194, 208),
                        "reasons": (209, 218),
                    }
                ),
                titles_are_totals=False,
            ),
            replace(
                FEBRABAN,
                name="caixa",
                banks=frozenset({"104"}),
                title=MappingProxyType({**_T, "our_number": (40, 56), "document": (59, 69)}),
            ),
            replace(
                FEBRABAN,
                name="itau",
                banks=frozenset({"341"}),
                title=MappingProxyType({**_T, "our_number": (41, 48), "document": (59, 68)}),
            ),
        )
    }
)
_BY_BANK: Final = {bank: layout for layout in LAYOUTS.values() for bank in layout.banks}


def of_bank(code: str) -> Layout:
    """Return a bank's layout; the standard where it has none of its own."""
    return _BY_BANK.get(code, FEBRABAN)
