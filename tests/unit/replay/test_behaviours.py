"""Synthetic histories: the same seed gives the same, and each kind is what its name says."""

import numpy as np
import pytest

from cloudflux.brain.replay.behaviours import BEHAVIOURS, generate
from cloudflux.errors import ConfigurationError


@pytest.mark.parametrize("behaviour", sorted(BEHAVIOURS))
def test_a_seed_makes_one_history_and_nothing_is_read_before_its_birth(behaviour):
    one = generate(behaviour, objects=60, days=400, seed=5)
    two = generate(behaviour, objects=60, days=400, seed=5)
    other = generate(behaviour, objects=60, days=400, seed=6)
    np.testing.assert_array_equal(one.reads, two.reads)
    assert one.reads.sum() != other.reads.sum()
    assert len(set(one.ids)) == 60
    assert one.reads.min() > 0
    assert (one.day >= one.first_day[one.row]).all()


def test_superseded_versions_go_quiet():
    history = generate("superseded", objects=200, days=600, seed=1)
    late = history.day > 300
    read_late = np.bincount(history.row[late], weights=history.reads[late], minlength=200)
    old = history.first_day < 200
    assert np.median(read_late[~old]) > np.median(read_late[old])


def test_a_mass_scan_reads_nearly_all_on_one_day():
    history = generate("mass-scan", objects=200, days=600, seed=1)
    assert len(set(history.row[history.day == 510].tolist())) > 180


def test_a_behaviour_that_there_is_not_names_those_that_there_are():
    with pytest.raises(ConfigurationError, match="bursts"):
        generate("chaos", objects=1, days=1, seed=0)
