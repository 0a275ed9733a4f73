"""What stands out in the use of a grant."""

from datetime import date, timedelta

import pytest

from service.data.rules.watching import FLOOR_ROWS, FLOOR_SIZE, Sudden, sudden

DAY = date(2026, 11, 24)


def before(*sizes):
    """Return the days before DAY with so many (rows, bytes), the last on the day before; None for no use."""
    days = [DAY - timedelta(days=back) for back in range(len(sizes), 0, -1)]
    return {day: (size, size) for day, size in zip(days, sizes, strict=True) if size is not None}


def test_five_times_the_median_is_usual_and_more_is_sudden():
    usual = before(*[FLOOR_SIZE] * 14)
    assert sudden(DAY, (0, 5 * FLOOR_SIZE), usual) is None
    assert sudden(DAY, (0, 5 * FLOOR_SIZE + 1), usual) == Sudden("bytes", 5 * FLOOR_SIZE + 1, FLOOR_SIZE)
    assert sudden(DAY, (5 * FLOOR_SIZE + 1, 0), usual) == Sudden("rows", 5 * FLOOR_SIZE + 1, FLOOR_SIZE)


def test_below_the_floor_nothing_stands_out():
    assert sudden(DAY, (FLOOR_ROWS, FLOOR_SIZE), before(1, 1, 1)) is None
    assert sudden(DAY, (0, FLOOR_SIZE + 1), before(1, 1, 1)) is not None


@pytest.mark.parametrize("sizes", [(), (1,), (1, 1), (None, None, 1)])
def test_the_first_days_of_a_grant_have_nothing_to_compare_with(sizes):
    assert sudden(DAY, (10**12, 10**12), before(*sizes)) is None


def test_days_without_use_count_as_nothing_from_the_first_use_on():
    assert sudden(DAY, (0, FLOOR_SIZE + 1), before(10**12, None, None, None)).usual == 0


def test_what_lies_more_than_fourteen_days_back_is_forgotten():
    assert sudden(DAY, (0, 10**12), {DAY - timedelta(days=15): (1, 1)}) is None
