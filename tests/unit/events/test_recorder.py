"""The event recorder, without an API server."""

import asyncio
from typing import Any

from cloudflux.events.recorder import BURST_PER_OBJECT, NOTE_CHARS, Recorder

DATA_SET = {
    "apiVersion": "cloudflux.io/v1alpha1",
    "kind": "DataSet",
    "metadata": {"namespace": "n", "name": "d", "uid": "u1", "resourceVersion": "7"},
}


class Api:
    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.patched: list[tuple[str, str, dict[str, Any]]] = []
        self.broken = False

    async def create_event(self, event: dict[str, Any]) -> None:
        if self.broken:
            raise ConnectionError("down")
        self.created.append(event)

    async def patch_event(self, namespace: str, name: str, body: dict[str, Any]) -> None:
        self.patched.append((namespace, name, body))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def written(recorder: Recorder) -> None:
    task = asyncio.create_task(recorder.run())
    await recorder.drain()
    task.cancel()


async def test_an_event_says_who_what_and_how_bad() -> None:
    api = Api()
    recorder = Recorder(api)
    recorder.event(DATA_SET, "Scanned", "10 objects", action="Scan")
    recorder.event(DATA_SET, "AccessDenied", "no s3:ListBucket")
    await written(recorder)
    first, second = api.created
    assert (first["reason"], first["type"], first["note"]) == ("Scanned", "Normal", "10 objects")
    assert (first["action"], first["reportingController"]) == ("Scan", "cloudflux.io/operator")
    assert first["regarding"]["uid"] == "u1"
    assert first["metadata"]["namespace"] == "n"
    assert second["type"] == "Warning"
    assert first["metadata"]["name"] != second["metadata"]["name"]


async def test_what_is_said_of_one_object_is_written_in_that_order() -> None:
    api = Api()
    recorder = Recorder(api)
    notes = [f"{n} objects" for n in range(BURST_PER_OBJECT)]
    for note in notes:
        recorder.event(DATA_SET, "Scanned", note)
    await written(recorder)
    assert [event["note"] for event in api.created] == notes


async def test_the_same_again_is_counted_and_written_once_a_minute() -> None:
    api, clock = Api(), Clock()
    recorder = Recorder(api, clock=clock)
    for _ in range(10):
        recorder.event(DATA_SET, "Scanned", "10 objects")
    clock.now = 61
    recorder.event(DATA_SET, "Scanned", "10 objects")
    recorder.event(DATA_SET, "Scanned", "10 objects")
    await written(recorder)
    assert len(api.created) == 1
    [(namespace, name, body)] = api.patched
    assert (namespace, name) == ("n", api.created[0]["metadata"]["name"])
    assert body["series"]["count"] == 12


async def test_one_object_cannot_flood_and_others_still_speak() -> None:
    api, clock = Api(), Clock()
    recorder = Recorder(api, clock=clock)
    for n in range(100):
        recorder.event(DATA_SET, "Scanned", f"{n} objects")
    other = {**DATA_SET, "metadata": {**DATA_SET["metadata"], "uid": "u2"}}
    recorder.event(other, "Scanned", "1 object")
    clock.now = 301
    recorder.event(DATA_SET, "Scanned", "after a pause")
    await written(recorder)
    assert len(api.created) == BURST_PER_OBJECT + 2
    assert recorder.dropped == 100 - BURST_PER_OBJECT


async def test_a_broken_api_disturbs_nobody() -> None:
    api = Api()
    api.broken = True
    recorder = Recorder(api)
    recorder.event(DATA_SET, "Scanned", "x")
    await written(recorder)
    api.broken = False
    recorder.event(DATA_SET, "Scanned", "y")
    await written(recorder)
    assert [event["note"] for event in api.created] == ["y"]


async def test_long_notes_are_cut_to_what_the_api_takes() -> None:
    api = Api()
    recorder = Recorder(api)
    recorder.event(DATA_SET, "Scanned", "ü" * 2000)
    await written(recorder)
    note = api.created[0]["note"]
    assert len(note.encode()) <= NOTE_CHARS
    assert note.endswith("…")


async def test_a_reason_outside_the_vocabulary_is_not_written() -> None:
    recorder = Recorder(Api())
    recorder.event(DATA_SET, "Whatever", "x")
    assert recorder.dropped == 1
    await written(recorder)


async def test_what_a_thousand_jobs_tell_at_once_is_written_several_at_a_time() -> None:
    class SlowApi(Api):
        under_way, most = 0, 0

        async def create_event(self, event: dict[str, Any]) -> None:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0)
            self.under_way -= 1
            self.created.append(event)

    api = SlowApi()
    recorder = Recorder(api)
    for number in range(1000):
        job = {**DATA_SET, "metadata": {**DATA_SET["metadata"], "uid": f"job-{number}"}}
        for reason in ("Planned", "Copying", "Verified", "Switched", "Completed"):
            recorder.event(job, reason, f"of job {number}")
    await written(recorder)
    assert (len(api.created), recorder.dropped) == (5000, 0)
    assert api.most > 1
