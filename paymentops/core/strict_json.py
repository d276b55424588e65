"""JSON read with the strictness that money needs: what two readers could understand differently is refused.

Refused: NaN and Infinity, a name twice in one object, invalid UTF-8, lone surrogates and U+0000 in text, numbers too
long to mean the same everywhere, deep nesting. Sources: RFC 8259, and I-JSON of RFC 7493.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from paymentops.core.errors import ApplicationError

DEEPEST_NESTING: Final = 32
LONGEST_NUMBER: Final = 40
MOST_DIGITS: Final = 20


class MalformedBody(ApplicationError):
    """The body is not JSON that every reader understands alike."""

    code = "request.malformed"
    title = "The body cannot be read"


def loads(body: bytes) -> Any:
    """Read JSON strictly. A number without a fraction is an ``int``, however it is written (``1``, ``1.0``, ``1e0``).

    Raises:
        MalformedBody: the bytes are not such JSON.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise MalformedBody("The body is not valid UTF-8.") from error
    except json.JSONDecodeError as error:
        detail = f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise MalformedBody(detail) from error
    except RecursionError as error:
        raise MalformedBody(f"The body is nested deeper than {DEEPEST_NESTING} levels.") from error
    if body.count(b"{") + body.count(b"[") > DEEPEST_NESTING:
        _refuse_deep_nesting(value)
    # After decoding UTF-8, only an escape can bring in a lone surrogate or U+0000.
    if b"\\u" in body:
        _refuse_unstorable_text(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedBody("A name appears twice in one object of the body.")
    return value


def _integer(literal: str) -> int:
    if len(literal) > MOST_DIGITS:
        raise MalformedBody(f"A number in the body has more than {MOST_DIGITS} digits.")
    return int(literal)


def _number(literal: str) -> int | float:
    if len(literal) > LONGEST_NUMBER:
        raise MalformedBody(f"A number in the body is longer than {LONGEST_NUMBER} characters.")
    try:
        exact = Decimal(literal)
    except ArithmeticError as error:
        raise MalformedBody("A number in the body is out of range.") from error
    if exact.adjusted() >= MOST_DIGITS:
        raise MalformedBody(f"A number in the body has more than {MOST_DIGITS} digits.")
    # An exponent below the shortest fraction cannot be whole; asking Decimal would build the digits.
    if exact and exact.adjusted() < 0:
        return float(exact)
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def _constant(literal: str) -> float:
    raise MalformedBody(f"{literal} is not a JSON number.")


def _refuse_deep_nesting(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST_NESTING + 1):
        level = [child for item in level for child in _children(item) if isinstance(child, dict | list)]
        if not level:
            return
    raise MalformedBody(f"The body is nested deeper than {DEEPEST_NESTING} levels.")


def _refuse_unstorable_text(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        waiting.extend(_children(item))
        texts = item if isinstance(item, dict) else (item,)
        for text in texts:
            if isinstance(text, str) and not _is_storable(text):
                raise MalformedBody("A text in the body holds U+0000 or half of a surrogate pair.")


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        return iter(value.values())
    return iter(value) if isinstance(value, list) else iter(())


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
