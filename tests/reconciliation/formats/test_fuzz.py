"""Whatever is thrown at a format: it reads, or it refuses; it never crashes, and no row is ever lost."""

import io
import itertools
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciliation.formats import registry
from reconciliation.formats.contract import StatementLine, StatementRefused
from reconciliation.formats.options import Options
from tests.reconciliation.formats.reading import Read, read
from tests.reconciliation.formats.writing import OPTIONS, WRITERS, Movement

_ALL = sorted(registry.FORMATS)
_MOVEMENTS = [Movement(f"000{number}", 1200 + number, fee_minor=0) for number in range(4)]
_VALID = {name: write(_MOVEMENTS, "BRL" if name == "cnab240" else "EUR") for name, write in WRITERS.items()}


def read_or_refused(format_name: str, raw: bytes) -> Read | None:
    """Nothing but ``StatementRefused`` may leave a reader; what is read must be complete."""
    try:
        return read(format_name, raw, **OPTIONS.get(format_name, {}))
    except StatementRefused as refusal:
        return None if refusal.reason and refusal.line_number >= 0 else pytest.fail("A refusal without a reason.")


@pytest.mark.parametrize("format_name", _ALL)
@given(raw=st.binary(max_size=400))
@settings(max_examples=60, deadline=None)
def test_random_bytes_are_read_or_refused(format_name, raw):
    read_or_refused(format_name, raw)


@pytest.mark.parametrize("format_name", sorted(_VALID))
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_a_mutated_file_is_read_or_refused_and_never_has_a_silent_zero(format_name, data):
    raw = bytearray(_VALID[format_name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        piece = data.draw(
            st.sampled_from([b"", b"\x00", b"\xff", b'"', b",", b"\n", b"-", b"9", b"0", b"x", b"<", b":61:"])
        )
        raw[at : at + data.draw(st.integers(0, 3))] = piece
        if not raw:
            return
    found = read_or_refused(format_name, bytes(raw))
    if found is not None:
        zeros = [line for line in found.lines if line.net_minor == 0 and line.booked]
        assert all(b"0" in bytes(raw) for _ in zeros)


@pytest.mark.parametrize("format_name", sorted(_VALID))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_truncated_file_is_read_or_refused(format_name, data):
    raw = _VALID[format_name]
    read_or_refused(format_name, raw[: data.draw(st.integers(0, len(raw)))])


@pytest.mark.parametrize("format_name", sorted(_VALID))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_with_lines_shuffled_or_twice_is_read_or_refused(format_name, data):
    lines = _VALID[format_name].splitlines(keepends=True)
    read_or_refused(format_name, b"".join(data.draw(st.lists(st.sampled_from(lines), max_size=20))))


@pytest.mark.parametrize("format_name", sorted(_VALID))
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp500"])
def test_a_file_in_another_encoding_is_read_or_refused(format_name, encoding):
    found = read_or_refused(format_name, _VALID[format_name].decode().encode(encoding))
    # An XML parser knows UTF-16 by its mark; nothing else does.
    assert found is None or format_name == "camt.053"


@pytest.mark.parametrize("format_name", sorted(_VALID))
@pytest.mark.parametrize(
    "amount", ["", " ", "x", "1e5", "12.345", "0x1F", "1_000", "NaN", "٣", "9" * 30, "--1", "1-1", "- 1 -"]
)
def test_an_amount_that_is_none_is_never_a_line_of_zero(format_name, amount):
    """The amount of the third movement is replaced: its row is rejected, or the file is refused."""
    raw = _VALID[format_name].decode()
    broken = raw.replace("12.02", amount).replace("1202", amount).replace("12,02", amount)
    assert broken != raw
    found = read_or_refused(format_name, broken.encode())
    if found is not None:
        assert len(found.lines) == 3
        assert 0 not in {line.net_minor for line in found.lines}


@pytest.mark.parametrize("format_name", ["bai2", "camt.053", "csv", "mt940", "paypal"])
def test_reversed_signs_do_not_agree_with_the_totals(format_name):
    raw = _VALID[format_name].decode()
    head, mark, tail = raw.partition("1201" if "1201" in raw else "12.01" if "12.01" in raw else "12,01")
    swaps = {
        "bai2": (head.rpartition("16,195")[0] + "16,495" + head.rpartition("16,195")[2], mark, tail),
        "camt.053": (head, mark, tail.replace("CRDT", "DBIT", 1)),
        "csv": (head, f"-{mark}", tail.replace("12.01", "-12.01")),
        "mt940": (head[:-1] + "D", mark, tail),
        "paypal": (head.rpartition("CR")[0] + "DR" + head.rpartition("CR")[2], mark, tail),
    }
    found = read_or_refused(format_name, "".join(swaps[format_name]).encode())
    # BAI2's control totals are sums of unsigned amounts: it cannot know.
    assert (found is not None) == (format_name == "bai2")


@pytest.mark.parametrize("format_name", sorted(_VALID))
def test_a_reader_asks_for_little_at_a_time_and_hands_out_at_once(format_name):
    """The first line comes out before the file has been read: nothing waits for its end."""
    currency = "BRL" if format_name == "cnab240" else "EUR"
    raw = WRITERS[format_name]([Movement(f"{number:07d}", 1200) for number in range(8000)], currency)
    stream = io.BytesIO(raw)
    events = registry.read(stream, format_name=format_name, options=Options.parse(OPTIONS.get(format_name, {})))
    assert next(events)
    assert next(events)
    assert stream.tell() <= 3 * (1 << 16) < len(raw)


class Made:
    """A file made while it is read: a beginning, many times a middle, an end."""

    def __init__(self, begin: bytes, middle: bytes, times: int, end: bytes) -> None:
        self._pieces = itertools.chain([begin], itertools.repeat(middle, times), [end])
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, None)) is not None:
            self._rest += piece
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


_ROWS = 30_000


@pytest.mark.parametrize("format_name", ["camt.053", "csv", "mt940"])
@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(format_name):
    options = Options.parse(OPTIONS.get(format_name, {}))
    peaks = []
    for times in (_ROWS // 10, _ROWS):
        tracemalloc.start()
        events = registry.read(made(format_name, times), format_name=format_name, options=options)
        count = sum(isinstance(event, StatementLine) for event in events)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == times
    assert peaks[1] < 2 * peaks[0] < 40_000_000


def made(format_name: str, times: int) -> Made:
    """A file of so many movements of 1.00; as one batch in camt."""
    if format_name == "csv":
        begin, middle, _ = WRITERS["csv"]([Movement("1", 100)], "EUR").splitlines(keepends=True)
        return Made(begin, middle, times, f"TOTAL,{times},,,{times}.00\n".encode())
    if format_name == "mt940":
        begin = b":20:A\n:25:1\n:28C:1\n:60F:C260304EUR0,\n"
        return Made(begin, b":61:260304C1,NTRFNONREF//1\n:86:x\n", times, f":62F:C260304EUR{times},\n".encode())
    head = WRITERS["camt.053"]([], "EUR").partition(b"<Bal>")[0]
    entry = f'<Ntry><Amt Ccy="EUR">{times}.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><NtryDtls>'.encode()
    detail = b'<TxDtls><Refs><EndToEndId>1</EndToEndId></Refs><Amt Ccy="EUR">1.00</Amt></TxDtls>\n'
    return Made(head + entry, detail, times, b"</NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>")
