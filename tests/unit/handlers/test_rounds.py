"""A scheduled evaluation acts as the policy's mode was when it began."""

import datetime as dt

from tests.unit.handlers.world import Api, a_data_set, a_policy, a_runtime, put

from cloudflux.handlers import policy as policies
from cloudflux.handlers.resources import DATA_SET, POLICY, Policy, Raw

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


def scheduled(mode: str, version: int) -> Raw:
    raw = a_policy(version=version)
    raw["spec"] |= {"mode": mode, "schedule": {"cron": "0 3 1 1 *"}}
    return raw


async def test_a_mode_that_is_set_while_a_round_shows_waits_for_the_next() -> None:
    runtime = a_runtime(Api())
    put(runtime, **{DATA_SET: a_data_set(), POLICY: scheduled("Recommend", 3)})
    key = (POLICY, "team", "cheap")
    shown: Policy = runtime.find(key)
    matched, _ = policies.select(runtime, shown)
    policies._schedule(runtime, shown, shown.status, matched, NOW)
    put(runtime, **{POLICY: scheduled("Auto", 4)})
    edited: Policy = runtime.find(key)
    due = policies._round(runtime, edited, matched)
    assert (due.data_sets, due.acts) == ({"data-uid"}, False)
    policies._schedule(runtime, edited, edited.status, matched, NOW)
    assert policies._round(runtime, edited, matched).acts, "the next time has come"
