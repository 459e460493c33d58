import numpy as np
import pytest

from hangtag.inference.explaining.surface import Axis, Shifts, Views, spread


def test_pixels_between_places_take_values_between():
    axis = Axis(3, 2.0, 4.0)
    found = spread(np.array([[0, 0, 1]], np.float32), Axis(1, 0.0, 1.0), axis, (1, 13))[0]
    assert found.shape == (13,)
    assert (np.diff(found) >= 0).all()
    assert found[2] < 0.01
    assert found[12] == found[10] > 0.75


def test_equal_values_stay_what_they_are():
    found = spread(np.full((2, 5, 4), 7, np.float32), Axis(5, -3.0, 7.5), Axis(4, 1.0, 9.0), (31, 24))
    np.testing.assert_allclose(found, np.full((2, 31, 24), 7), rtol=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 6, 7, 8, 16, 32])
def test_shifts_divide_a_cell_evenly(stride):
    shifts = Shifts.of(Axis(3, 10.0, stride))
    steps = set(np.diff(shifts.by).tolist())
    assert steps <= {-shifts.axis.stride}
    assert shifts.axis.stride * len(shifts.by) == stride
    assert abs(sum(shifts.by)) <= len(shifts.by)  # as far to one side as to the other
    assert shifts.axis.count == 3 * len(shifts.by)


def test_the_maps_of_shifted_copies_show_a_dot_where_it_is():
    """A stand-in network whose cells are the means of 8x8 pixels: a dot of one pixel is found to within two."""
    axes = [Axis(size // 8, 3.5, 8.0) for size in (48, 40)]
    views = Views(*(Shifts.of(axis) for axis in axes))
    for place in ((12, 9), (25, 30), (33, 17), (20, 20)):
        photo = np.zeros((48, 40, 3), np.uint8)
        photo[place] = 255
        copies = views.copy(photo)
        assert copies.shape == (16, 48, 40, 3)
        maps = copies[..., 0].reshape(16, 6, 8, 5, 8).mean(axis=(2, 4)).astype(np.float32)
        found = views.stitch(maps, (48, 40))
        rows, columns = np.mgrid[:48, :40]
        centre = ((rows * found).sum() / found.sum(), (columns * found).sum() / found.sum())
        assert np.abs(np.subtract(centre, place)).max() < 1.5


def test_what_a_shift_uncovers_is_the_photos_border():
    photo = np.full((16, 16, 3), (200, 150, 100), np.uint8)
    photo[6:10, 6:10] = 0
    copies = Views(*(Shifts.of(Axis(2, 3.5, 8.0)),) * 2).copy(photo)
    for copy in copies:
        assert (copy == 0).all(axis=2).sum() == 16
        assert (copy == (200, 150, 100)).all(axis=2).sum() == 240
