"""Comparison tables: what they show, and that they fail when they should."""

import doctest
from xml.etree import ElementTree

import numpy as np
import pytest

from recurrence import compare as module
from recurrence.compare import compare


def test_doctests():
    assert doctest.testmod(module).failed == 0


def test_the_table_has_a_line_for_each_row():
    table = compare([("a third", 0.3333, 1 / 3), ("two", 2, 2.0)], rtol=1e-3)
    assert repr(table).splitlines() == [
        "Quantity  Expected       Ours  Difference",
        "a third     0.3333  0.3333333     3.3e-05",
        "two              2          2           0",
        "Each row agrees within 0.001 of the expected value.",
    ]


def test_the_html_is_well_formed_and_escaped():
    table = ElementTree.fromstring(compare([("|H(π)| < 1 & more", 1.0, 1.0)])._repr_html_())
    assert table.get("class") == "compare"
    assert [cell.text for cell in table.iter("th") if cell.get("scope") == "row"] == ["|H(π)| < 1 & more"]
    assert [cell.text for cell in table.iter("td")] == ["1", "1", "0"]


def test_every_row_that_is_off_is_named_and_no_other():
    with pytest.raises(AssertionError) as caught:
        compare([("good", 1.0, 1.0), ("bad", 1.0, 1.1), ("worse", 1.0, 2.0)], rtol=0.01)
    message = str(caught.value)
    assert "bad (expected 1, ours 1.1, difference 1.0e-01)" in message
    assert "worse" in message and "good" not in message


def test_tolerances_add_and_the_relative_one_goes_by_the_expected_value():
    compare([("", 10.0, 10.15)], rtol=0.01, atol=0.06)
    with pytest.raises(AssertionError):
        compare([("", 10.0, 10.15)], rtol=0.01)
    with pytest.raises(AssertionError):
        compare([("", 10.0, 10.15)], rtol=0, atol=0.1)
    with pytest.raises(AssertionError):  # 0.1 of 1.0, not 0.1 of 1.105
        compare([("", 1.0, 1.105)], rtol=0.1)


def test_arrays_show_their_worst_entry():
    ours = np.array([[1.0, 2.0], [3.0, 4.25]])
    table = compare([("grid", np.array([[1, 2], [3, 4]]), ours)], atol=0.5)
    assert table.rows == (("grid (worst of 4)", "4", "4.25", "2.5e-01"),)
    with pytest.raises(AssertionError, match="grid"):
        compare([("grid", np.array([[1, 2], [3, 4]]), ours)])


def test_complex_numbers_are_compared_by_their_distance():
    assert compare([("root", 1j, 1j)]).rows[0][1:3] == ("0.00000 + 1.00000i", "0.00000 + 1.00000i")
    assert compare([("zero", 0j, 0j)]).rows[0][1] == "0 + 0i"
    assert compare([("far", 0.0, -2e-3 - 3e4j)], atol=1e5).rows[0][2] == "-0.0 - 30000.0i"
    with pytest.raises(AssertionError):
        compare([("root", 1j, -1j)])


@pytest.mark.parametrize(("expected", "ours"), [(1.0, np.nan), (np.nan, np.nan), (1.0, np.inf), (np.inf, 1.0)])
def test_what_is_not_a_number_agrees_with_nothing(expected, ours):
    with pytest.raises(AssertionError, match="odd"):
        compare([("odd", expected, ours)])


def test_a_nan_among_numbers_is_the_worst_entry():
    with pytest.raises(AssertionError, match="ours nan"):
        compare([("odd", np.zeros(3), np.array([0.0, np.nan, 9.0]))])


def test_equal_infinities_agree():
    assert compare([("limit", np.inf, np.inf)]).rows[0][3] == "0"


def test_a_check_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no rows"):
        compare([])
    with pytest.raises(ValueError, match="empty: there are no numbers"):
        compare([("empty", [], [])])


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"pair: expected has shape \(\) but ours has \(2,\)"):
        compare([("pair", 1.0, [1.0, 1.0])])
