"""Deciding is the child's work: however much of it there is, the control loop goes on."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from cloudflux.api.brain_tasks import EvaluateRequest, EvaluateResult
from cloudflux.children.supervisor import ChildPool

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
TURNS = 2_000


@pytest.mark.parametrize("count", [50, pytest.param(1_000, marks=pytest.mark.exhaustive)])
async def test_evaluations_of_many_data_sets_leave_the_loop_its_turns(
    tmp_path: Path, count: int
) -> None:
    """Told by order, not by a clock: the loop has thousands of turns before they have ended.

    Were evaluations made in this process, the first turn would come after the last of them.
    """
    pool = ChildPool(state_dir=tmp_path, token=1)
    try:
        handles = [
            pool.submit(
                "brain.evaluate",
                EvaluateRequest(data_set_uid=f"set-{number}", uri="s3://b", fresh=False, now=NOW),
            )
            for number in range(count)
        ]
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert not all(handle.done.done() for handle in handles)
        found = await asyncio.wait_for(asyncio.gather(*(h.done for h in handles)), 300)
    finally:
        await pool.stop()
    answers = [EvaluateResult.model_validate(each) for each in found]
    assert {answer.why_not for answer in answers} == {"there are no objects"}
