"""Time-series features of daily reads, for the seven-day forecast."""

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

FEATURES_VERSION = 1
"""Raised whenever names, order or meaning change: a model of another version is refused."""
WINDOWS = (3, 7, 14, 28, 56)
HALF_LIVES = (3.0, 14.0)
NAMES = (
    *(f"log_reads_day_{back}" for back in range(1, 8)),
    *(f"log_reads_{window}d" for window in WINDOWS),
    *(f"log_mean_half_life_{half:g}d" for half in HALF_LIVES),
    "read_days_7",
    "read_days_28",
    "trend_7d",
    "log_same_weeks_median",
    "log_idle_days",
    "log_age_days",
    "log_size",
)


def features(reads: npt.NDArray[np.uint16], at: int, age_days: Array, size_bytes: Array) -> Matrix:
    """Describe each object as it was after the first `at` columns, by what was known then.

    `reads` are days of proven signal only, ascending; `age_days` is the age at that time.
    """
    past = reads[:, :at]
    sums = {w: past[:, -w:].sum(axis=1, dtype=np.float64) for w in WINDOWS}
    days = [np.log1p(past[:, -back].astype(np.float64)) for back in range(1, 8)]
    recent = past[:, -WINDOWS[-1] :].astype(np.float64)
    back = np.arange(recent.shape[1])[::-1]
    means = [recent @ _weights(back, half) for half in HALF_LIVES]
    was_read = past > 0
    idle = np.where(was_read.any(axis=1), np.argmax(was_read[:, ::-1], axis=1), at)
    weeks = past[:, -28:].reshape(len(past), 4, 7).sum(axis=2, dtype=np.float64)
    columns = [
        *days,
        *(np.log1p(total) for total in sums.values()),
        *(np.log1p(mean) for mean in means),
        was_read[:, -7:].sum(axis=1),
        was_read[:, -28:].sum(axis=1),
        np.log1p(sums[7]) - np.log1p(sums[28] / 4),
        np.log1p(np.median(weeks, axis=1)),
        np.log1p(idle),
        np.log1p(np.maximum(age_days, 0.0)),
        np.log1p(size_bytes),
    ]
    return np.column_stack(columns).astype(np.float32)


def _weights(days_back: npt.NDArray[np.intp], half_life: float) -> Array:
    raw = 0.5 ** (days_back / half_life)
    return np.asarray(raw / raw.sum(), dtype=np.float64)
