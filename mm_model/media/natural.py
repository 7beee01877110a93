"""How far a picture's statistics are from those of undistorted photographs: BRISQUE.

Mittal, Moorthy, Bovik: No-Reference Image Quality Assessment in the Spatial Domain (2012). The
weights are the regression that the package `brisque` carries. Its own code fails with numpy 2 and
takes a library that must be compiled, so that only its files are read and the features made here.
"""

import math
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

WORST = 100.0
"""Of a picture in which nothing varies, too."""

_LUMA = np.array([0.2125, 0.7154, 0.0721])
_SIZE, _SIGMA = 7, 7 / 6
_STEADY = 1 / 255
_SCALES = 2


def quality_score(regression: Path, ranges: Path) -> Callable[[np.ndarray], float]:
    """From a picture, uint8 [H, W, 3] RGB, to 0 (as undistorted photographs are) to 100.

    `regression` is a support vector regression with radial basis functions as libsvm writes it,
    `ranges` a pickle of nothing but numbers: lowest and highest value of each feature.

    Raises:
        ValueError: the files do not hold that.
    """
    gamma, rho, weights, vectors = _regression(regression)
    low, high = _ranges(ranges)
    if vectors.shape[1] != len(low):
        raise ValueError(f"{regression.name} and {ranges.name} do not belong together")

    def score(picture: np.ndarray) -> float:
        found = features(picture)
        if found is None:
            return WORST
        scaled = -1 + 2 * (found - low) / (high - low)
        near = np.exp(-gamma * ((vectors - scaled) ** 2).sum(1))
        return float(np.clip(weights @ near - rho, 0, WORST))

    return score


def features(picture: np.ndarray) -> np.ndarray | None:
    """The 36 features of a picture, uint8 [H, W, 3] RGB; None where nothing varies.

    Pixels less the mean of their surroundings over its deviation, and products of neighbours, each
    described by an asymmetric generalised Gaussian; at full and at half size.
    """
    import cv2

    grey = picture.astype(np.float64) @ _LUMA / 255
    found: list[float] = []
    for scale in range(_SCALES):
        if scale:
            grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_CUBIC)
        normal = _normalised(grey)
        for first, values in enumerate(
            (
                normal,
                normal[:, :-1] * normal[:, 1:],
                normal[:-1] * normal[1:],
                normal[:-1, :-1] * normal[1:, 1:],
                normal[1:, :-1] * normal[:-1, 1:],
            )
        ):
            fitted = _fitted(values)
            if fitted is None:
                return None
            alpha, mean, left, right = fitted
            found += [alpha, mean, left, right] if first else [alpha, (left + right) / 2]
    return np.array(found)


def _normalised(grey: np.ndarray) -> np.ndarray:
    import cv2

    kernel = np.exp(-((np.arange(_SIZE) - _SIZE // 2) ** 2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()

    def blurred(values: np.ndarray) -> np.ndarray:
        return cv2.sepFilter2D(values, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)

    mean = blurred(grey)
    deviation = np.sqrt(np.abs(mean**2 - blurred(grey**2)))
    return (grey - mean) / (deviation + _STEADY)


def _fitted(values: np.ndarray) -> tuple[float, float, float, float] | None:
    """Shape, mean and both variances of an asymmetric generalised Gaussian, by its moments."""
    below, squares = values < 0, values**2
    number, left_number = values.size, int(below.sum())
    left_sum = float(squares[below].sum())
    right_sum = float(squares.sum()) - left_sum
    if not left_sum or right_sum <= 0:
        return None
    left, right = left_sum / left_number, right_sum / (number - left_number)
    skew = math.sqrt(left / right)
    ratio = float(np.abs(values).mean()) ** 2 / ((left_sum + right_sum) / number)
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    alphas, ratios = _shapes()
    alpha = float(np.interp(ratio, ratios, alphas))
    wide = math.sqrt(math.gamma(1 / alpha) / math.gamma(3 / alpha))
    mean = (math.sqrt(right) - math.sqrt(left)) * wide
    mean *= math.gamma(2 / alpha) / math.gamma(1 / alpha)
    return alpha, mean, left, right


@cache
def _shapes() -> tuple[np.ndarray, np.ndarray]:
    """Shapes of a generalised Gaussian, and squared mean over mean square of each, both rising."""
    alphas = np.arange(0.2, 10.0005, 0.001)
    gammas = [[math.gamma(times / alpha) for alpha in alphas] for times in (1, 2, 3)]
    one, two, three = np.array(gammas)
    return alphas, two**2 / (one * three)


def _regression(path: Path) -> tuple[float, float, np.ndarray, np.ndarray]:
    """gamma, rho, weights [N] and support vectors [N, features] of libsvm's text."""
    head, _, body = path.read_text("ascii").partition("\nSV\n")
    said = dict(line.partition(" ")[::2] for line in head.splitlines())
    if (said.get("svm_type"), said.get("kernel_type")) != ("epsilon_svr", "rbf"):
        raise ValueError(f"{path.name} is no regression with radial basis functions")
    rows = [line.split() for line in body.splitlines()]
    vectors = [[float(one.partition(":")[2]) for one in row[1:]] for row in rows]
    return (
        float(said["gamma"]),
        float(said["rho"]),
        np.array([float(row[0]) for row in rows]),
        np.array(vectors),
    )


class _NumbersOnly(pickle.Unpickler):
    """Opens pickles of lists, names and numbers; one that asks for code is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise ValueError(f"it asks for {module}.{name}")


def _ranges(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open("rb") as handle:
        found: Any = _NumbersOnly(handle).load()
    return np.array(found["min_"], float), np.array(found["max_"], float)
