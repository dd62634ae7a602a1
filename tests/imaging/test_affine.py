"""The algebra of affine maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_imaging import affine
from boneage_imaging.errors import ParameterError

from .strategies import angles_deg, sizes

points = st.tuples(st.floats(-500, 500), st.floats(-500, 500))
matrices = st.builds(
    lambda source, target, angle, scale, mirror: affine.similarity_matrix(
        source_xy=source, target_xy=target, angle_deg=angle, scale=scale, mirror=mirror
    ),
    points,
    points,
    angles_deg,
    st.floats(0.05, 20),
    st.booleans(),
)
IDENTITY = np.eye(3)[:2]


@given(matrices)
def test_a_map_and_its_inverse_are_nothing(matrix):
    inverse = affine.invert_matrix(matrix)
    np.testing.assert_allclose(affine.compose(matrix, inverse), IDENTITY, atol=1e-6)
    np.testing.assert_allclose(affine.compose(inverse, matrix), IDENTITY, atol=1e-6)


@given(matrices, matrices, points)
def test_compose_does_the_first_one_first(first, second, point):
    one_by_one = affine.apply_points(second, affine.apply_points(first, [point]))
    np.testing.assert_allclose(
        affine.apply_points(affine.compose(first, second), [point]), one_by_one, rtol=1e-9, atol=1e-6
    )


@given(matrices, matrices, matrices)
def test_compose_is_associative(a, b, c):
    left = affine.compose(affine.compose(a, b), c)
    np.testing.assert_allclose(affine.compose(a, affine.compose(b, c)), left, rtol=1e-9, atol=1e-5)


def test_composing_nothing_is_the_identity():
    np.testing.assert_array_equal(affine.compose(), IDENTITY)


@given(points, points, angles_deg, st.floats(0.05, 20), st.booleans())
def test_similarity_carries_its_point_and_scales_all_distances(source, target, angle_deg, scale, mirror):
    matrix = affine.similarity_matrix(
        source_xy=source, target_xy=target, angle_deg=angle_deg, scale=scale, mirror=mirror
    )
    np.testing.assert_allclose(affine.apply_points(matrix, [source]), [target], atol=1e-6)
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(scale**2 * (-1 if mirror else 1))
    down, right = affine.source_steps(matrix)
    assert (down, right) == (pytest.approx(1 / scale), pytest.approx(1 / scale))


def test_positive_angles_turn_counter_clockwise_as_seen():
    matrix = affine.similarity_matrix(source_xy=(0, 0), target_xy=(0, 0), angle_deg=30)
    right_hand_side = affine.apply_points(matrix, [[1, 0]])[0]
    np.testing.assert_allclose(right_hand_side, [np.cos(np.pi / 6), -np.sin(np.pi / 6)])  # up is negative y


@given(sizes(1, 300), angles_deg)
def test_an_expanded_frame_holds_all_corners(size, angle_deg):
    matrix, target = affine.rotation_matrix(size, angle_deg)
    bottom, right = size[0] - 0.5, size[1] - 0.5
    corners = affine.apply_points(matrix, [[-0.5, -0.5], [right, -0.5], [-0.5, bottom], [right, bottom]])
    assert (corners >= -0.5 - 1e-5).all()
    assert (corners <= np.array([target[1], target[0]]) - 0.5 + 1e-5).all()
    assert max(target) <= np.hypot(*size) + 1


@given(sizes(1, 300), angles_deg)
def test_without_expanding_the_size_stays(size, angle_deg):
    assert affine.rotation_matrix(size, angle_deg, expand=False)[1] == size


@pytest.mark.parametrize("matrix", [np.zeros((2, 3)), np.full((2, 3), np.nan), [[1, 2, 0], [2, 4, 0]]])
def test_a_map_that_cannot_be_undone_is_refused(matrix):
    with pytest.raises(ParameterError, match="invertible"):
        affine.invert_matrix(np.asarray(matrix, float))


def test_a_matrix_of_another_shape_is_refused():
    with pytest.raises(ParameterError, match="2 x 3"):
        affine.apply_points(np.eye(3), [[0, 0]])


def test_a_scale_of_nothing_is_refused():
    with pytest.raises(ParameterError, match="scale"):
        affine.similarity_matrix(source_xy=(0, 0), target_xy=(0, 0), scale=0)
