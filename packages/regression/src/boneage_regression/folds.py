"""Who is test, who is in which fold, who chooses the epoch: decided from the case ids by hash, once for all.

No random state and no order of the table comes in, so that everybody who asks gets the same answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from boneage_regression.errors import FoldError

__all__ = ["assign_folds", "in_test", "inner_part"]

_STRATUM_MONTHS = 12.0


def in_test(case_id: str, share: float = 0.2) -> bool:
    """Whether a case belongs to the test part: int(sha256(id)) is divisible by 1/share.

    Args:
        case_id: The case's id.
        share: Share of all cases that is test; one over a whole number: 0.5, 0.25, 0.2, 0.1 ...

    Raises:
        FoldError: The share is not one over a whole number of at least 2.

    >>> [case for case in ("1511", "1513", "1514", "1515", "1520") if in_test(case)]
    ['1520']
    """
    parts = round(1 / share) if 0 < share <= 0.5 else 0
    if parts < 2 or abs(parts * share - 1) > 1e-9:
        raise FoldError(
            f"share must be one over a whole number of at least 2, such as 0.2. Received: {share!r}"
        )
    return int(hashlib.sha256(case_id.encode()).hexdigest(), 16) % parts == 0


def assign_folds(
    ids: Sequence[str], ages_months: ArrayLike, males: Sequence[bool | None], k: int = 5
) -> dict[str, int]:
    """Divide cases into k folds, each of the same mix of ages and sexes.

    Cases are sorted by sex, by year of age, and within these by the hash of their id; then they
    are dealt to the folds in turn, like cards. So fold sizes differ by at most one, and so do the counts
    within each group; and the order of the table does not matter.

    Args:
        ids: Case ids, no two alike.
        ages_months: Ages in months, one per case.
        males: True, False or None (not known), one per case.
        k: Number of folds, from 2 to the number of cases.

    Returns:
        The fold, 0 to k - 1, of each id.

    Raises:
        FoldError: Lists of different length, an id twice, an age that is not finite, or a k that will not do.
    """
    ages = np.asarray(ages_months, np.float64)
    if not len(ids) == len(ages) == len(males):
        raise FoldError(f"one age and one sex per id. Received: {len(ids)}, {len(ages)} and {len(males)}")
    _check_ids(ids)
    if not np.isfinite(ages).all():
        raise FoldError("ages must be finite numbers of months")
    if not 2 <= k <= len(ids):
        raise FoldError(f"k must be from 2 to the number of cases ({len(ids)}). Received: {k!r}")
    keys = {
        case_id: (
            _SEX_ORDER[None if male is None else bool(male)],
            age // _STRATUM_MONTHS,
            _hash("fold", case_id),
        )
        for case_id, age, male in zip(ids, ages.tolist(), males, strict=True)
    }
    return {case_id: turn % k for turn, case_id in enumerate(sorted(keys, key=keys.__getitem__))}


def inner_part(ids: Sequence[str], share: float = 0.1) -> set[str]:
    """The cases of a training part that are kept back to choose epoch and threshold.

    Args:
        ids: Case ids of the training part, at least two, no two alike.
        share: Share to keep back, between 0 and 1.

    Returns:
        round(share * n) ids, but at least one and never all: those with the least hash.

    Raises:
        FoldError: Fewer than two ids, an id twice, or a share outside 0..1.
    """
    _check_ids(ids)
    if len(ids) < 2 or not 0 < share < 1:
        raise FoldError(f"at least two ids and a share between 0 and 1. Received: {len(ids)} ids, {share!r}")
    count = min(max(round(share * len(ids)), 1), len(ids) - 1)
    return set(sorted(ids, key=lambda case_id: _hash("inner", case_id))[:count])


_SEX_ORDER = {False: 0, True: 1, None: 2}


def _hash(purpose: str, case_id: str) -> str:
    # The purpose keeps the inner part, the folds and the test part independent of each other.
    return hashlib.sha256(f"{purpose}:{case_id}".encode()).hexdigest()


def _check_ids(ids: Sequence[str]) -> None:
    if len(set(ids)) != len(ids):
        twice = sorted({case_id for case_id in ids if list(ids).count(case_id) > 1})
        raise FoldError(f"each id once. Received more than once: {', '.join(twice[:5])}")
