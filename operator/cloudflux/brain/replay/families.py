"""Objects that belong together by name: versions of one thing, files of one directory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from cloudflux.brain.replay.trace import Days

NO_BIRTH = np.iinfo(np.int32).max
_SPLIT = r"(?s)^(?P<directory>(?:.*/)?)(?P<name>[^/]*)$"
_VERSION = r"(?i)[-_./ ]?v?[0-9][\w.+~-]*$"
Names = Any
"""An Arrow array of strings: a million names are taken apart by compiled code."""


@dataclass(frozen=True, slots=True)
class Families:
    """The family of each object, and where it stands in it by age."""

    code: npt.NDArray[np.int64]
    count: int
    older: npt.NDArray[np.int64]
    """Members that were born before."""
    next_birth: Days
    """Birth of the first member that is newer; NO_BIRTH without one."""


def base_names(object_ids: Names) -> Names:
    """Return what the versions of one thing have in common: plugin-1.2.3.jar → plugin.

    A name without a digit loses its endings, another its version; a name that is nothing but a
    version stands for its directory.
    """
    split = pc.extract_regex(object_ids, _SPLIT)
    directory, name = split.field("directory"), split.field("name")
    stem = pc.if_else(
        pc.match_substring_regex(name, "[0-9]"),
        pc.replace_substring_regex(name, _VERSION, "", max_replacements=1),
        pc.replace_substring_regex(name, r"(?s)\..*$", ""),
    )
    alone = pc.if_else(
        pc.equal(directory, ""), object_ids, pc.utf8_slice_codeunits(directory, 0, -1)
    )
    whole = pc.binary_join_element_wise(directory, stem, "")
    return pc.if_else(pc.equal(stem, ""), alone, whole)


def directory_names(object_ids: Names) -> Names:
    """Return the directory, or the first part of a name without one."""
    directory = pc.extract_regex(object_ids, _SPLIT).field("directory")
    first = pc.replace_substring_regex(object_ids, r"(?s)[-_.:].*$", "")
    return pc.if_else(pc.equal(directory, ""), first, pc.utf8_slice_codeunits(directory, 0, -1))


def families(keys: Names, first_day: Days) -> Families:
    """Group objects by a key. What is born later changes nothing of what was known before."""
    encoded = keys.dictionary_encode()
    code = encoded.indices.to_numpy().astype(np.int64)
    count = len(encoded.dictionary)
    order = np.lexsort((first_day, code))
    sorted_code, birth = code[order], first_day[order]
    place = np.arange(len(code))
    changes = sorted_code[1:] != sorted_code[:-1]
    begins = np.r_[True, changes][: len(code)]
    group_start = np.maximum.accumulate(np.where(begins, place, 0))
    # members born on one day are of one age: none is newer than the other
    fresh = begins | np.r_[True, birth[1:] != birth[:-1]][: len(code)]
    age_start = np.maximum.accumulate(np.where(fresh, place, 0))
    older = np.empty(len(code), dtype=np.int64)
    older[order] = age_start - group_start
    ages = np.r_[np.flatnonzero(fresh), len(code)]
    following = ages[np.searchsorted(ages[:-1], place, side="right")]
    known = following < len(code)
    known[known] = sorted_code[following[known]] == sorted_code[known]
    next_birth = np.full(len(code), NO_BIRTH, dtype=np.int32)
    next_birth[order[known]] = birth[following[known]]
    return Families(code, count, older, next_birth)
