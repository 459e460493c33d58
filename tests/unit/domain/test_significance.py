import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from hangtag.domain.significance import sign_test, two_sided_sign_test

COUNTS = st.integers(0, 300)


@given(COUNTS, COUNTS)
def test_the_sign_test_is_that_of_scipy(more, fewer):
    def expect(alternative):
        found = binomtest(more, more + fewer, alternative=alternative) if more + fewer else None
        return pytest.approx(found.pvalue if found else 1.0, rel=1e-9)

    assert sign_test(more, fewer) == expect("greater")
    assert two_sided_sign_test(more, fewer) == expect("two-sided")


@pytest.mark.parametrize(("more", "fewer"), [(5_150, 4_851), (4_950, 5_051), (5_001, 5_001)])
def test_for_many_photos_the_normal_distribution_is_near_enough(more, fewer):
    greater = binomtest(more, more + fewer, alternative="greater").pvalue
    assert sign_test(more, fewer) == pytest.approx(greater, rel=0.01)
    assert two_sided_sign_test(more, fewer) == pytest.approx(binomtest(more, more + fewer).pvalue, rel=0.01)
