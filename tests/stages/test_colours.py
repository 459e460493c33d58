"""The colours that are kept as Chromium's are those of the Chromium on this machine."""

import numpy as np
import pytest

from colour_charts import CHROMIUM, build_charts, read_kept, show_in_chromium


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
def test_chromium_shows_the_colours_that_are_kept():
    shown, kept = show_in_chromium(build_charts()), read_kept()
    assert {name for name, colours in shown.items() if colours is not None} == set(kept)
    differing = {name: int(np.abs(shown[name] - colours.astype(int)).max()) for name, colours in kept.items()}
    assert max(differing.values()) <= 2, differing
