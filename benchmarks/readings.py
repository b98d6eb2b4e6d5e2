"""What the kernel and the API server say of processes and requests."""

import os
import re
import time
from collections import Counter
from pathlib import Path

from cloudflux_dev.kubeapi import KubeApi

WRITES = re.compile(
    r"^apiserver_request_total\{(?P<labels>.*)\} (?P<value>[0-9.e+]+)$", re.MULTILINE
)


def rss_bytes(pid: int, peak: bool = False) -> int:
    """Resident memory of a process, now or at its peak."""
    name = "VmHWM" if peak else "VmRSS"
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{name}:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def api_writes(api: KubeApi) -> Counter[str]:
    """Writes that the API server has served, by verb and resource."""
    counts: Counter[str] = Counter()
    for match in WRITES.finditer(api.text("/metrics")):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', match["labels"]))
        if labels["verb"] in ("POST", "PUT", "PATCH", "APPLY", "DELETE"):
            resource = labels["resource"] + ("/" + labels["subresource"]).rstrip("/")
            counts[f"{labels['verb']} {resource}"] += int(float(match["value"]))
    return counts


def settled_writes(api: KubeApi) -> Counter[str]:
    """Count the writes once the last events have been written: nothing new for three seconds."""
    last, since = api_writes(api), time.monotonic()
    deadline = since + 60
    while time.monotonic() - since < 3 and time.monotonic() < deadline:
        time.sleep(0.5)
        now = api_writes(api)
        if {k: v for k, v in now.items() if "leases" not in k} != {
            k: v for k, v in last.items() if "leases" not in k
        }:
            last, since = now, time.monotonic()
    return last
