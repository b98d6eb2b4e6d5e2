"""A process with an outbox, to be killed: `outbox_process DIRECTORY BROKERS FIRST COUNT`.

Its "committed status" is a counter file: event n is committed by writing n, then told, as the
operator commits a status and then tells of it.
"""

import asyncio
import sys
from pathlib import Path

from tests.unit.events.samples import event

from cloudflux.events.kafka import KafkaSink
from cloudflux.events.outbox import Outbox
from cloudflux.settings import KafkaSettings


async def main(directory: Path, brokers: str, count: int) -> None:
    outbox = Outbox(
        directory / "outbox",
        KafkaSink(KafkaSettings(brokers=brokers, partitions=3)),
        max_bytes=64 << 20,
        on_durable=lambda events: note(directory, events),
    )
    task = asyncio.create_task(outbox.run())
    told = directory / "told"
    first = int(told.read_text() or 0) if told.exists() else 0
    for n in range(first, count):
        outbox.put(event(n, key=f"ds-{n % 7}"))
        if n % 20 == 0:
            await asyncio.sleep(0.002)
    while outbox.depth:
        await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await outbox.close()
    print("done", flush=True)


def note(directory: Path, events: object) -> None:
    last = list(events)[-1]  # type: ignore[call-overload]
    number = int(last.id.split(":")[0].removeprefix("job-"))
    temporary = directory / "told.new"
    temporary.write_text(str(number + 1))
    temporary.replace(directory / "told")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
