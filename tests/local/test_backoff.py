from hypothesis import given
from hypothesis import strategies as st

from paymentops.local.supervisor import Backoff

BACKOFF = Backoff(first=0.5, factor=2.0, longest=10.0, healthy_after=5.0)


def test_each_death_in_a_row_doubles_the_wait_up_to_the_longest():
    assert [BACKOFF.wait(deaths=n) for n in range(1, 8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_process_that_ran_long_enough_starts_counting_anew():
    assert BACKOFF.deaths_in_a_row(before=6, uptime=5.0) == 1
    assert BACKOFF.deaths_in_a_row(before=6, uptime=4.9) == 7


@given(st.integers(min_value=1, max_value=10**9))
def test_the_wait_is_always_between_the_first_and_the_longest(deaths: int):
    assert 0.5 <= BACKOFF.wait(deaths=deaths) <= 10.0
