"""A collector to be killed: `collector_process STATE_DIR BROKERS TOPIC [history]`."""

import asyncio
import sys
from pathlib import Path

from cloudflux.collector.historian import Historian
from cloudflux.collector.reader import Collector
from cloudflux.settings import KafkaSettings


async def main(state_dir: Path, brokers: str, topic: str, what: str = "") -> None:
    settings = KafkaSettings(
        brokers=brokers, access_topic=topic, events_topic=topic,
        dead_letter_topic=f"{topic}.dead", partitions=4, group=topic,
    )  # fmt: skip
    kind = Historian if what == "history" else Collector
    await kind(settings, state_dir, commit_seconds=0.5).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
