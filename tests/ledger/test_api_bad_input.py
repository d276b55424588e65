"""Whatever somebody asks the books, the answer is an answer or a refusal, never a failure."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.models import Entry
from paymentops.casework.models import Proposal
from paymentops.idempotency.models import IdempotencyKey
from tests.ledger.books import RECEIVABLE
from tests.ledger.services import Api, books, writer
from tests.ledger.test_api_journals import KEY, LINES, PATH, charge

pytestmark = pytest.mark.django_db

_PATHS = [
    "accounts",
    f"accounts/{RECEIVABLE}/EUR",
    f"accounts/{RECEIVABLE}/EUR/balance",
    f"accounts/{RECEIVABLE}/EUR/statement",
    "entries",
    f"entries/ent_{'0' * 32}",
    "trial-balance",
    "periods",
    "periods/2026-01",
    "journals",
    f"journals/prp_{'0' * 32}",
]
_NAMES = [
    *("prefix", "currency", "kind", "closed", "cursor", "limit", "order", "effective_at", "known_at", "compare_to"),
    *("since", "until", "source_type", "source_id", "state", "account", "effective_from", "effective_until", "format"),
]
_VALUES = [
    *("", " ", "0", "-1", "1", "9" * 400, "1e9", "true", "null", "[]", "%", "_", "\x00", "\ud800", "é", "٣", "'", "\\"),
    *("EUR", "1110", RECEIVABLE, "POSTED", "ASSET", "PROPOSED", "newest_first", "oldest_first", "json", "x" * 5000),
    *("2026-01-31", "2026-01-05T09:00:00Z", "2026-01-05T09:00:00+01:00", "0001-01-01", "9999-12-31"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999Z", "2026-02-30", "now"),
    *("0-0-0", "-62135596800000000-1-1", "253402300799999999-1-1", "9999999999999999999-1-1", "1-2-3", "1_0-2-3"),
    *("cD0lMDA=", "cD1ub3QtYS11dWlk", "bz0xMDAwMDAwMDAwMDAwMDAwMDAw", "cj0xJnA9MTExMA==", "cj0x", "bz0tMQ=="),
    *(f"ent_{'0' * 32}", f"pay_{'0' * 32}", "0" * 32, f"pay_{'g' * 32}", "pay_", "{}", "urn:uuid:" + "0" * 32),
]
_VALUE = st.sampled_from(_VALUES) | st.text(max_size=40)
_LENIENT = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def api(db: None) -> Api:
    books()
    return writer()


def written(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@given(
    path=st.sampled_from(_PATHS),
    asked=st.lists(st.tuples(st.sampled_from(_NAMES) | st.text(max_size=8), _VALUE), max_size=3),
)
@example(path=_PATHS[2], asked=[("effective_at", "0001-01-01"), ("known_at", "0001-01-01")])
@example(path=_PATHS[2], asked=[("effective_at", "9999-12-31"), ("known_at", "9999-12-31T23:59:59.999999Z")])
@example(path=_PATHS[3], asked=[("cursor", "253402300799999999-9223372036854775807-32767")])
@example(path=_PATHS[3], asked=[("cursor", "0-0-0"), ("order", "newest_first")])
@example(path="trial-balance", asked=[("compare_to", "0001-01-01"), ("known_at", "0001-01-01")])
@example(path="accounts", asked=[("cursor", "cD0lMDA="), ("limit", "1")])
@_LENIENT
def test_no_question_makes_the_service_fail(api: Api, path: str, asked: list[tuple[str, str]]) -> None:
    query = "&".join(f"{written(name)}={written(value)}" for name, value in asked)
    response = api.get(f"ledger/{path}?{query}")
    assert response.status_code in (200, 400, 404), (path, asked, response.content)
    if response.status_code != 200:
        assert response.headers["Content-Type"].startswith("application/problem+json")


@given(raw=st.text(st.characters(max_codepoint=126, min_codepoint=33, exclude_characters="#/"), max_size=60))
@example(raw="effective_at")
@example(raw="&&==&limit&limit=%")
@example(raw="%ff=%00&%=%zz")
@settings(_LENIENT, max_examples=60)
def test_no_address_makes_the_service_fail(api: Api, raw: str) -> None:
    for address in (f"trial-balance?{raw}", f"entries?{raw}", f"accounts/{raw}/EUR/statement", f"periods/{raw}"):
        assert api.get(f"ledger/{address}").status_code in (200, 400, 404, 405), address


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(_VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_LINE = st.fixed_dictionaries(
    {"account": st.sampled_from(["5010", "1010:main", "9999"]) | _JSON, "amount": st.integers() | _JSON},
    optional={"currency": st.just("EUR") | _JSON, "method": _JSON},
)


@given(
    changes=st.dictionaries(st.sampled_from([*charge(), "lines", "corrects"]), _JSON, max_size=3),
    lines=st.none() | st.lists(_LINE | st.sampled_from(LINES), max_size=4),
)
@_LENIENT
def test_no_journal_makes_the_service_fail(api: Api, changes: dict[str, Any], lines: list[Any] | None) -> None:
    before = Proposal.objects.count()
    body = charge() | changes if lines is None else charge(amount=..., currency=..., parts=..., lines=lines) | changes
    response = api.post(PATH, json.dumps(body).encode("utf-8", "surrogatepass"), key=KEY)
    assert response.status_code in (201, 400, 404, 422), response.content
    if response.status_code != 201:
        assert Proposal.objects.count() == before
    assert IdempotencyKey.objects.count() == Proposal.objects.count() <= 1
    assert not Entry.objects.filter(source_type="journal").exists()
