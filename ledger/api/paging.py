"""Pages of accounts, by code and currency."""

from typing import Any, Final

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

LONGEST_CODE: Final = 120
_LONGEST_PLACE: Final = LONGEST_CODE + len(" EUR")


class ByCode(CursorPagination):
    """Pages by cursor, in the order of codes."""

    ordering = "place"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"

    def decode_cursor(self, request: Request) -> Any:
        """Read the cursor; one that was not made here is refused."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            position = str(cursor.position)
            if len(position) > _LONGEST_PLACE or not position.isprintable():
                raise NotFound(self.invalid_cursor_message)
        return cursor
