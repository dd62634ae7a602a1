"""How bright pixels are: CLAHE, windows, inversion, depth."""

import math
from bisect import bisect_left, bisect_right

import cv2
import numpy as np
import numpy.typing as npt

from boneage_imaging.arrays import Image, Size, check_gray
from boneage_imaging.errors import ParameterError

__all__ = ["clahe", "invert", "range_in_use", "stretch", "to_uint8", "to_uint16", "window"]

_BINS = 256


def clahe(image: Image, *, clip_limit: float = 2.0, tiles: Size = (8, 8)) -> Image:
    """Equalise contrast locally: contrast limited adaptive histogram equalisation.

    Zuiderveld, *Contrast Limited Adaptive Histogram Equalization*, Graphics Gems IV (1994), pages 474 to
    485, with these choices, for both depths and any size:

    1. The picture is divided into `tiles` equal tiles. Where they do not divide it, it is first continued at
       the bottom and the right, to the next multiple, by mirroring without repeating the edge.
    2. Each tile's histogram has 256 bins. A 16-bit value v falls into the bin nearest to v / 257.
    3. No bin keeps more than `floor(clip_limit * n / 256)`, at least 1, n being the tile's pixels: at a clip
       limit of 1 nothing stands above a uniform histogram. The excess is spread evenly over all bins; what
       is left of it, less than 256, goes one each to the bins 0, s, 2s, ..., where s = 256 // left.
    4. A tile's map is the cumulated histogram times 255 / n. A 16-bit value is mapped linearly between its
       two neighbouring bins, and times 257, so that depth is kept and a picture of 8-bit values times 257
       gives the 8-bit result times 257 within one 8-bit level.
    5. A pixel gets the bilinear mean of the maps of the four nearest tile centres, of fewer at the borders.

    OpenCV's own 16-bit CLAHE counts in 65536 bins, where the clip limit of a usual tile is 1, so that it
    hardly does anything; and where one side needs padding it pads the other one too. Neither is so here.

    Args:
        image: 2-D uint8 or uint16.
        clip_limit: the highest bin over a uniform histogram's, above 0.
        tiles: tiles down and across, each at least 1.

    Returns:
        2-D, same size and dtype.

    Raises:
        ArrayError, ParameterError: for what is no image, no limit, no grid.

    Example:
        >>> rows = np.tile(np.arange(100, 132, dtype=np.uint8), (32, 1))
        >>> equalised = clahe(rows, clip_limit=4.0, tiles=(2, 2))
        >>> int(np.ptp(equalised)) > int(np.ptp(rows))
        True
    """
    check_gray(image)
    if not (math.isfinite(clip_limit) and clip_limit > 0):
        raise ParameterError("clip_limit", "a finite number above 0", clip_limit)
    if len(tiles) != 2 or min(tiles) < 1:
        raise ParameterError("tiles", "(down, across), both at least 1", tiles)
    height, width = image.shape
    padded = cv2.copyMakeBorder(image, 0, -height % tiles[0], 0, -width % tiles[1], cv2.BORDER_REFLECT_101)
    if image.dtype == np.uint8:
        # On a picture that the tiles divide, OpenCV computes the definition above.
        equalised = cv2.createCLAHE(clip_limit, (tiles[1], tiles[0])).apply(padded)
    else:
        equalised = _blend(padded, _tile_maps(padded, clip_limit, tiles))
    return np.ascontiguousarray(equalised[:height, :width])


def _tile_maps(image: Image, clip_limit: float, tiles: Size) -> npt.NDArray[np.float32]:
    """Each tile's map of the bins to 0..65535, shape (down, across, 257): the last bin stands twice."""
    down, across = tiles
    height, width = image.shape[0] // down, image.shape[1] // across
    limit = max(int(clip_limit * height * width / _BINS), 1)
    maps = np.empty((down, across, _BINS + 1), np.float32)
    for row in range(down):
        for column in range(across):
            tile = image[row * height : (row + 1) * height, column * width : (column + 1) * width]
            counts = np.bincount((tile.ravel().astype(np.int64) + 128) // 257, minlength=_BINS)
            excess = int(np.maximum(counts - limit, 0).sum())
            counts = np.minimum(counts, limit) + excess // _BINS
            if left := excess % _BINS:
                counts[:: _BINS // left][:left] += 1
            maps[row, column, :-1] = np.cumsum(counts) * (65535.0 / (height * width))
    maps[..., -1] = maps[..., -2]
    return maps


def _blend(image: Image, maps: npt.NDArray[np.float32]) -> Image:
    """Map each pixel by the four nearest tiles' maps, weighted bilinearly; in bands, to spare memory."""
    down, across, stride = maps.shape
    height, width = image.shape[0] // down, image.shape[1] // across
    left, right, to_right = _neighbours(image.shape[1], width, across)
    above, below, to_below = _neighbours(image.shape[0], height, down)
    result = np.empty_like(image)
    for start in range(0, image.shape[0], height):
        rows = slice(start, start + height)
        bins, rest = np.divmod(image[rows], 257)
        part = rest.astype(np.float32) / np.float32(257)
        total = np.zeros(part.shape, np.float32)
        for tile_row, row_weight in ((above[rows], 1 - to_below[rows]), (below[rows], to_below[rows])):
            for tile_column, column_weight in ((left, 1 - to_right), (right, to_right)):
                place = (tile_row[:, None] * across + tile_column) * stride + bins
                lower, upper = maps.take(place), maps.take(place + 1)
                total += (lower + (upper - lower) * part) * row_weight[:, None] * column_weight
        result[rows] = np.rint(total)
    return result


def _neighbours(
    length: int, tile: int, count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """For each pixel along an axis: the tile before it, the one after it, and the weight of the latter."""
    position = np.arange(length) / tile - 0.5
    before = np.floor(position).astype(np.int32)
    weight = (position - before).astype(np.float32)
    return np.maximum(before, 0), np.minimum(before + 1, count - 1), weight


def window(image: Image, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Show the values from `low` to `high` as 0 to 255; what lies below is black, above is white.

    Args:
        image: 2-D uint8 or uint16.
        low: the value that becomes 0.
        high: the value that becomes 255, at least `low`; if equal, what is above it becomes 255.

    Returns:
        2-D uint8.

    Raises:
        ParameterError: if low is above high or one of them is no number.

    Example:
        >>> window(np.array([[0, 100, 200, 300]], np.uint16), 100, 300).tolist()
        [[0, 0, 128, 255]]
    """
    check_gray(image)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ParameterError("low, high", "two finite numbers, low at most high", (low, high))
    levels = int(np.iinfo(image.dtype).max) + 1
    # Of 65536 levels few lie between: only those are worked out.
    first, last = math.ceil(low), math.ceil(high) if low < high else math.floor(high) + 1
    first, last = (min(max(level, 0), levels) for level in (first, last))
    table = np.zeros(levels, np.uint8)
    table[last:] = 255
    if low < high:
        between = np.arange(first, last, dtype=np.float64)
        between -= low
        between /= high - low
        between *= 255
        between += 0.5
        table[first:last] = between
    return table[image]


def stretch(image: Image, *, low_percent: float = 0.5, high_percent: float = 99.5) -> npt.NDArray[np.uint8]:
    """Use the whole 8-bit range: a window between two percentiles, so that few extreme pixels decide nothing.

    Args:
        image: 2-D uint8 or uint16.
        low_percent: the percentile that becomes 0.
        high_percent: the percentile that becomes 255.

    Returns:
        2-D uint8; a constant picture becomes 0.

    Raises:
        ParameterError: unless 0 <= low_percent <= high_percent <= 100.

    Example:
        >>> stretch(np.array([[1000, 1500, 2000]], np.uint16), low_percent=0, high_percent=100).tolist()
        [[0, 128, 255]]
    """
    check_gray(image)
    if not 0 <= low_percent <= high_percent <= 100:
        raise ParameterError(
            "low_percent, high_percent",
            "percentages with 0 <= low <= high <= 100",
            (low_percent, high_percent),
        )
    counts = np.bincount(image.ravel(), minlength=1).cumsum()
    low = bisect_right(counts, low_percent / 100, key=lambda count: count / image.size)
    high = bisect_left(counts, high_percent / 100 - 1e-12, key=lambda count: count / image.size)
    low = min(low, len(counts) - 1)
    return window(image, low, max(low, high))


def range_in_use(image: Image) -> tuple[int, int]:
    """Black and white at the depth in use: radiographs of 10 or 12 bits come in files of 16.

    They lie at the lower end, or at the upper one where white was stored as zero. A pixel in a thousand that is
    brighter or darker does not count.

    Args:
        image: 2-D uint8 or uint16.

    Returns:
        (black, white): 0 and 255 for uint8; for uint16 a range as wide as 8 to 16 bits.

    Example:
        >>> range_in_use(np.array([[0, 700, 1000]], np.uint16))
        (0, 1023)
    """
    check_gray(image)
    if image.dtype == np.uint8:
        return 0, 255
    counts = cv2.calcHist([image], [0], None, [65536], [0, 65536]).ravel().cumsum(dtype=np.float64)
    darkest, lightest = (int(np.searchsorted(counts, share * image.size)) for share in (0.001, 0.999))
    upward, downward = (max(255, 2 ** level.bit_length() - 1) for level in (lightest, 65535 - darkest))
    return (0, upward) if upward <= downward else (65535 - downward, 65535)


def invert(image: Image) -> Image:
    """Swap black and white; twice is nothing.

    Args:
        image: 2-D uint8 or uint16.

    Returns:
        2-D, same dtype.

    Example:
        >>> invert(np.array([[0, 55]], np.uint8)).tolist()
        [[255, 200]]
    """
    check_gray(image)
    return np.bitwise_not(image)


def to_uint16(image: Image) -> npt.NDArray[np.uint16]:
    """Bring a picture to 16 bits: 0 stays 0, full white stays full white; `to_uint8` undoes it.

    Args:
        image: 2-D uint8 or uint16 (returned as it is).

    Returns:
        2-D uint16.

    Example:
        >>> to_uint16(np.array([[0, 1, 255]], np.uint8)).tolist()
        [[0, 257, 65535]]
    """
    check_gray(image)
    if image.dtype == np.uint16:
        return image
    return cv2.merge([image, image]).view(np.uint16)[..., 0]  # both bytes are the value: 257 times it


def to_uint8(image: Image) -> npt.NDArray[np.uint8]:
    """Bring a picture to 8 bits: 0 stays 0, full white stays full white, nothing is stretched.

    Args:
        image: 2-D uint8 (returned as it is) or uint16.

    Returns:
        2-D uint8, the 8-bit value nearest to value / 257.

    Example:
        >>> to_uint8(np.array([[0, 257, 65535]], np.uint16)).tolist()
        [[0, 1, 255]]
    """
    check_gray(image)
    if image.dtype == np.uint8:
        return image
    return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
