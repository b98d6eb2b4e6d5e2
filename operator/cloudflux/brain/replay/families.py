"""Objects that belong together by name: versions of one thing, files of one directory."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloudflux.brain.replay.trace import Days

NO_BIRTH = np.iinfo(np.int32).max
_VERSION = re.compile(r"[-_./ ]?v?\d[\w.+~-]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Families:
    """The family of each object, and where it stands in it by age."""

    code: npt.NDArray[np.int64]
    count: int
    older: npt.NDArray[np.int64]
    """Members that were born before."""
    next_birth: Days
    """Birth of the first member that is newer; NO_BIRTH without one."""


def base_name(object_id: str) -> str:
    """Return what the versions of one thing have in common: plugin-1.2.3.jar → plugin."""
    directory, slash, name = object_id.rpartition("/")
    stem = name.split(".")[0] if name and not any(map(str.isdigit, name)) else name
    stripped = _VERSION.sub("", stem)
    if not stripped:
        return directory or object_id
    return f"{directory}{slash}{stripped}"


def directory_name(object_id: str) -> str:
    """Return the directory, or the first part of a name without one."""
    directory, slash, _ = object_id.rpartition("/")
    return directory if slash else re.split(r"[-_.:]", object_id, maxsplit=1)[0]


def families(keys: list[str], first_day: Days) -> Families:
    """Group objects by a key. What is born later changes nothing of what was known before."""
    _, code = np.unique(np.asarray(keys, dtype=np.str_), return_inverse=True)
    code = code.reshape(-1).astype(np.int64)
    count = int(code.max()) + 1 if len(code) else 0
    order = np.lexsort((first_day, code))
    sorted_code, birth = code[order], first_day[order]
    begins = np.r_[True, sorted_code[1:] != sorted_code[:-1]] if len(code) else np.empty(0, bool)
    group_start = np.maximum.accumulate(np.where(begins, np.arange(len(code)), 0))
    # members born on one day are of one age: none is newer than the other
    fresh = begins | np.r_[True, birth[1:] != birth[:-1]] if len(code) else begins
    age_start = np.maximum.accumulate(np.where(fresh, np.arange(len(code)), 0))
    older = np.empty(len(code), dtype=np.int64)
    older[order] = age_start - group_start
    next_birth = np.full(len(code), NO_BIRTH, dtype=np.int32)
    following = np.full(len(code), NO_BIRTH, dtype=np.int64)
    for position in range(len(code) - 2, -1, -1):
        if sorted_code[position] == sorted_code[position + 1]:
            newer = birth[position + 1] > birth[position]
            following[position] = birth[position + 1] if newer else following[position + 1]
    next_birth[order] = following
    return Families(code, count, older, next_birth)
