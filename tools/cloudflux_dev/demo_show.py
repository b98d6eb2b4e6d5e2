"""What the demo shows: kubectl's own output, the plan to approve and the summary."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from cloudflux.api.display import display_bytes
from cloudflux_dev import assets
from cloudflux_dev.cluster import ControlPlane

Status = Mapping[str, Any]
PROJECTED_BYTES = 100 * 2**40


def show_resources(control_plane: ControlPlane) -> None:
    """Print `kubectl get` of the three kinds, as a person would see it."""
    print("$ kubectl get datasets,tieringpolicies,migrationjobs")
    print(control_plane.kubectl("get", "datasets,tieringpolicies,migrationjobs"), flush=True)


def reasons(statuses: Mapping[str, Status]) -> None:
    """Print why something is recommended, or why nothing is."""
    for name, status in statuses.items():
        for item in status.get("recommendations") or []:
            print(
                f"  {name}: {item['objects']} objects, {display_bytes(item['bytes'])}, "
                f"{_short_class(item['from'])} → {_short_class(item['to'])}\n    {item['reason']}"
            )
        if not status.get("recommendations"):
            print(f"  {name}: {status.get('whyNot', 'nothing is recommended')}")


def watch_jobs(kubeconfig: Path) -> subprocess.Popen[bytes]:
    """Start `kubectl get migrationjobs -w` on this terminal."""
    print("$ kubectl get migrationjobs -w", flush=True)
    return subprocess.Popen(
        [str(assets.find().kubectl), "get", "migrationjobs", "-w"],
        env={**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def end_watch(watch: subprocess.Popen[bytes]) -> None:
    """End the watch and wait for it."""
    watch.send_signal(signal.SIGTERM)
    try:
        watch.wait(timeout=5)
    except subprocess.TimeoutExpired:
        watch.kill()
        watch.wait()


def approve(control_plane: ControlPlane, name: str, plan: Mapping[str, Any]) -> None:
    """Show a plan and approve it by its hash, with the command that a person would type."""
    payback = plan.get("paybackDays")
    lines = [
        f"\nThe plan of {name}, frozen until it is approved or expires:",
        f"  {plan['objects']} objects, {display_bytes(plan['bytes'])}, "
        f"about {plan['durationSeconds']} s",
        f"  fees once {money(plan['oneOffCost'])}, saves {money(plan['savingsPerMonth'])} a month"
        + (f", paid back after {payback} days" if payback is not None else "")
        + f" (prices of {plan.get('priceDate') or 'the table'})",
        *(f"  note: {warning}" for warning in plan.get("warnings") or []),
        f"  hash {plan['hash']}",
    ]
    patch = f'{{"spec":{{"approval":"{plan["hash"]}"}}}}'
    lines.append(f"$ kubectl patch migrationjob {name} --type merge -p '{patch}'")
    print("\n".join(lines), flush=True)
    output = control_plane.kubectl("patch", "migrationjob", name, "--type", "merge", "-p", patch)
    print(output, flush=True)


def summary(
    before: Mapping[str, Status],
    after: Mapping[str, Status],
    jobs: Sequence[Mapping[str, Any]],
    seconds: float,
) -> None:
    """Say what was moved, how it was proven, and what it costs now."""
    print(f"\n{'=' * 78}\nDone in {seconds:.0f} s.\n\nMoved:")
    for job in jobs:
        status = job["status"]
        proof = status.get("verification") or {}
        moved = status.get("progress") or {}
        print(
            f"  {job['metadata']['name']}: {moved.get('objectsDone')} objects, "
            f"{display_bytes(moved.get('bytesDone', 0))}, "
            f"{_short_class(status.get('sourceDisplay') or '')} → "
            f"{_short_class(status.get('targetDisplay') or '')}\n"
            f"    verified: {proof.get('matched')} match, {proof.get('mismatched')} differ, by "
            f"{proof.get('method')}\n    manifest: {proof.get('manifestUri')} "
            f"({proof.get('digest')})"
        )
    print("\nCost a month (list prices; reads, requests and minimum charges as they fall):")
    print(f"  {'':18}{'before':>14}{'after':>14}   the same mix at 100 TiB (projection)")
    for name, old in before.items():
        new = after[name]
        held = max(int(old["inventory"]["bytes"]), 1)
        factor = Decimal(PROJECTED_BYTES) / held
        costs = [Decimal(status["monthlyCost"]) for status in (old, new)]
        large = [f"${cost * factor:,.0f}" for cost in costs]
        print(f"  {name:18}{money(costs[0]):>14}{money(costs[1]):>14}   {large[0]} → {large[1]}")
    on_path = shutil.which("kubectl")
    print(
        "\nThe access history of the bucket is synthetic (120 days from named behaviours, seeded) "
        "except\nfor today's reads, which were real; part of the files had their read times set "
        "back.\n\nIt goes on running. Next:\n  export KUBECONFIG=$PWD/.demo/kubeconfig"
        + ("" if on_path else f"\n  export PATH=$PATH:{assets.find().kubectl.parent}")
        + "\n  kubectl describe dataset sensor-readings"
        "\n  kubectl describe migrationjobs"
        "\n  kubectl explain migrationjob.spec"
        "\n  kubectl get events"
        "\n  ls -l .demo/files/hot/packages/*   # links show what moved"
        "\n  make demo-down",
        flush=True,
    )


def money(value: str | Decimal) -> str:
    """Dollars with four significant digits."""
    number = Decimal(value)
    if number == 0:
        return "$0"
    places = max(3 - number.adjusted(), 0)
    return f"${number:,.{places}f}"


def _short_class(name: str) -> str:
    """A storage class as it is, a tier's directory by its last name."""
    return name.rstrip("/").rpartition("/")[2] if name.startswith("file://") else name
