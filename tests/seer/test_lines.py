import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survlspin.seer.lines import BLANK, CONTROL, COUNT, FINE, OPEN, STRAY, blocks, check_cells, check_widths


def judged(line, mark, width, ended):
    """What is wrong with one line, told character by character."""
    if not line:
        return BLANK
    if not ended:
        return OPEN
    if re.search(rb"[\x00-\x1f]", line.replace(mark, b"")):
        return CONTROL
    cell = rb'(?:"(?:[^"]|"")*"|[^"%s]*)' % mark
    if not re.fullmatch(cell + rb"(?:%s%s)*" % (mark, cell), line):
        return STRAY
    return FINE if len(re.findall(mark, re.sub(rb'"(?:[^"]|"")*"', b"", line))) + 1 == width else COUNT


def lines_of(data):
    """Each line without its end, and whether it has one."""
    *whole, last = data.split(b"\n")
    found = [(line.removesuffix(b"\r"), True) for line in whole]
    return [*found, (last, False)] if last else found


@settings(max_examples=400, deadline=None)
@given(
    data=st.lists(st.sampled_from(list(b'ab",,\t\t\n\n\r\x01\xe9')), min_size=1, max_size=60).map(bytes),
    width=st.integers(1, 4),
)
def test_every_line_is_judged_by_itself(data, width):
    for mark in (b",", b"\t"):
        found = check_cells(data, mark, width)
        expected = [judged(line, mark, width, ended) for line, ended in lines_of(data)]
        assert found.state.tolist() == expected
        pieces = re.findall(rb"[^\n]*\n|[^\n]+", data)
        assert found.fine() == b"".join(piece for piece, state in zip(pieces, expected, strict=True) if state == FINE)
        assert [found.text(i) for i in range(len(found))] == [line for line, _ in lines_of(data)]


@settings(max_examples=100, deadline=None)
@given(
    data=st.lists(st.sampled_from(list(b"abc\n\r\x01")), min_size=1, max_size=60).map(bytes), width=st.integers(1, 4)
)
def test_lines_of_fixed_width_are_judged_by_their_bytes(data, width):
    expected = []
    for line, ended in lines_of(data):
        wrong = CONTROL if re.search(rb"[\x00-\x1f]", line) else COUNT * (len(line) != width)
        expected.append(BLANK if not line else wrong if ended else OPEN)
    assert check_widths(data, width).state.tolist() == expected


def test_an_open_quote_ends_with_its_line():
    found = check_cells(b'1,"a,b",c\n"1,b,c\n1,b,c\nd,""",",e\n""""",b,c\n', b",", 3)
    assert found.state.tolist() == [FINE, STRAY, FINE, FINE, STRAY]


def test_the_last_line_may_be_allowed_to_be_open():
    assert check_cells(b"1,2\n3,4", b",", 2, whole=False).state.tolist() == [FINE, FINE]
    assert check_cells(b"1,2\n3", b",", 2, whole=False).state.tolist() == [FINE, COUNT]
    assert check_cells(b"1,2\n3,4", b",", 2).state.tolist() == [FINE, OPEN]


def test_lines_beyond_ascii_are_known():
    found = check_cells("a,b\né,b\na\nü\n–,–\n".encode(), b",", 2)
    assert found.beyond().tolist() == [1, 4]
    assert check_cells(b"a,b\n", b",", 2).beyond().tolist() == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("data", [b"", b"a", b"a\n", b"ab\ncdefghij\n\nk", b"\n\n", b"abcdefgh\r\ni\r\n"])
def test_blocks_are_whole_lines(data, size):
    found = list(blocks(io.BytesIO(data), size))
    assert b"".join(found) == data
    assert all(block.endswith(b"\n") for block in found[:-1])
    assert np.all([len(block) > 0 for block in found])
