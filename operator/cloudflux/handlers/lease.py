"""Leader election by a Lease: one operator acts, the others wait and say for whom."""

import asyncio
import datetime as dt
import os
import socket
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import structlog

from cloudflux.errors import CloudFluxError
from cloudflux.handlers.kube import LEASES, Conflict, Kube, KubeError, NotFound

SAY_SECONDS = 10.0
POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5
ANSWER_SECONDS = 5.0
LOST_EXIT_CODE = 3


@dataclass(frozen=True, slots=True)
class Identity:
    """Who holds the Lease: readable, unique to one process of one boot of one host."""

    host: str
    boot_id: str
    pid: int
    started: str
    nonce: str

    def __str__(self) -> str:
        return "_".join((self.host, self.boot_id, str(self.pid), self.started, self.nonce))

    @classmethod
    def own(cls) -> "Identity":
        """Return the identity of this process."""
        pid = os.getpid()
        started = _start_time(pid) or "0"
        return cls(socket.gethostname(), _boot_id(), pid, started, uuid.uuid4().hex[:8])

    @classmethod
    def parse(cls, text: str) -> "Identity | None":
        """Read an identity back; None for one that this code did not write."""
        parts = text.rsplit("_", 4)
        if len(parts) != 5 or not parts[2].isdigit():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3], parts[4])

    def proven_dead(self, seen_from: "Identity") -> bool:
        """Return whether that process has certainly ended: same host and boot, pid gone or reused.

        False says nothing: a process of another host (or container) can't be seen.
        """
        if (self.host, self.boot_id) != (seen_from.host, seen_from.boot_id):
            return False
        return _start_time(self.pid) != self.started


class Lease:
    """The leader Lease. `acquire`, then `hold` until cancelled, then `release`.

    Only times observed by the own monotonic clock count: a holder is gone when its record has
    not changed for the duration it promised, however its clock is set.
    """

    def __init__(
        self,
        kube: Kube,
        *,
        namespace: str,
        name: str,
        seconds: int,
        least_token: int = 0,
        identity: Identity | None = None,
        on_lost: Callable[[str], None] | None = None,
    ) -> None:
        self.identity = identity or Identity.own()
        self.token = 0
        """Lease transitions: larger for every leader than for all before it."""
        self.holder = ""
        """Who was seen to hold it, while we wait."""
        self.namespace, self.name, self.seconds = namespace, name, seconds
        self._kube, self._least_token = kube, least_token
        self._on_lost = on_lost or _end_process
        self._lease: dict[str, Any] | None = None
        self._renewed_at = 0.0
        self._log = structlog.get_logger("cloudflux.lease").bind(lease=f"{namespace}/{name}")

    @property
    def held(self) -> bool:
        """Whether the Lease is ours and was renewed in time."""
        return self._lease is not None and self.age_seconds < self.seconds

    @property
    def age_seconds(self) -> float:
        """Seconds since the last renewal was sent."""
        return asyncio.get_running_loop().time() - self._renewed_at

    async def acquire(self) -> int:
        """Wait until the Lease is ours and return the fencing token. Says for whom it waits.

        Cancelled, it may be ours all the same: `release` gives it up then, too.
        """
        loop = asyncio.get_running_loop()
        seen: tuple[str, str] | None = None
        seen_at = next_say = loop.time()
        while True:
            sent_at = loop.time()
            try:
                lease = await self._read()
                spec = lease.get("spec", {}) if lease else {}
                record = (spec.get("holderIdentity") or "", str(spec.get("renewTime")))
                if record != seen:
                    seen, seen_at = record, loop.time()
                self.holder = record[0]
                promised = int(spec.get("leaseDurationSeconds") or self.seconds)
                left_seconds = promised - (loop.time() - seen_at)
                if self._free(record[0]) or left_seconds <= 0:
                    sent_at = loop.time()
                    await _to_its_end(self._take(lease))
                    self._renewed_at = sent_at
                    self._log.info("lease acquired", fencing_token=self.token)
                    return self.token
                if loop.time() >= next_say:
                    next_say = loop.time() + SAY_SECONDS
                    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=left_seconds)
                    self._log.info(
                        "waiting for the lease",
                        holder=record[0],
                        until=until.isoformat(timespec="seconds"),
                    )
            except Conflict:
                self._log.info("another operator took the lease first")
            except KubeError as error:
                if not error.retryable:
                    raise
                self._log.warning("the lease can't be read", error=str(error))
            await asyncio.sleep(POLL_SECONDS)

    async def hold(self) -> None:
        """Renew until cancelled, every third of the duration. A lost Lease ends the process.

        It counts as lost when somebody else holds it or when it was not renewed in time.
        """
        pause_seconds = self.seconds / 3
        while True:
            await asyncio.sleep(pause_seconds)
            pause_seconds = self.seconds / 3
            try:
                # one request that hangs must leave time for another
                async with asyncio.timeout(min(self._left_seconds(), self.seconds / 3)):
                    await self._renew()
            except NotFound:
                self._lose("the lease was deleted")
            except (KubeError, TimeoutError) as error:
                self._log.warning("the lease was not renewed", error=str(error) or "timed out")
                pause_seconds = RETRY_SECONDS
            if self._lease is None:
                return  # lost or released meanwhile; said already
            if not self.held:
                self._lose(f"it could not be renewed for {self.seconds} s")
                return

    async def release(self) -> None:
        """Give the Lease up, so that the next operator needn't wait; never raises."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._kube.replace(LEASES, {**lease, "spec": spec})
        except CloudFluxError as error:
            self._log.info("the lease was not released", error=str(error))

    def _free(self, holder: str) -> bool:
        if not holder:
            return True
        identity = Identity.parse(holder)
        if identity is None or not identity.proven_dead(self.identity):
            return False
        self._log.info("the holder has ended", holder=holder)
        return True

    async def _read(self) -> dict[str, Any] | None:
        try:
            return await self._kube.get(LEASES, self.namespace, self.name)
        except NotFound:
            return None

    async def _take(self, lease: dict[str, Any] | None) -> None:
        """Write ourselves in, as a compare-and-swap. Raises Conflict when somebody was faster."""
        spec = lease.get("spec", {}) if lease else {}
        token = max(int(spec.get("leaseTransitions") or 0) + 1, self._least_token)
        spec = {
            "holderIdentity": str(self.identity),
            "leaseDurationSeconds": self.seconds,
            "acquireTime": _micro_time(),
            "renewTime": _micro_time(),
            "leaseTransitions": token,
        }
        if lease is None:
            metadata = {"namespace": self.namespace, "name": self.name}
            self._lease = await self._kube.create(LEASES, {"metadata": metadata, "spec": spec})
        else:
            self._lease = await self._kube.replace(LEASES, {**lease, "spec": spec})
        self.token = token

    async def _renew(self) -> None:
        """Write the time of renewal, as a compare-and-swap; finds out whether it is lost."""
        lease = self._lease
        if lease is None:
            return
        sent_at = asyncio.get_running_loop().time()
        try:
            self._lease = await self._write_renewal(lease)
        except Conflict:
            # lost, or still ours: a label was set, or the answer to our last write was lost
            lease = await self._kube.get(LEASES, self.namespace, self.name)
            holder = lease.get("spec", {}).get("holderIdentity")
            if holder != str(self.identity):
                self._lose(f"{holder or 'nobody'} holds it now")
                return
            self._lease = await self._write_renewal(lease)
        self._renewed_at = sent_at

    async def _write_renewal(self, lease: dict[str, Any]) -> dict[str, Any]:
        spec = {**lease["spec"], "renewTime": _micro_time()}
        return await self._kube.replace(LEASES, {**lease, "spec": spec})

    def _left_seconds(self) -> float:
        return max(0.1, self.seconds - self.age_seconds)

    def _lose(self, why: str) -> None:
        self._lease = None
        self._log.error("lease lost; this operator ends", why=why, fencing_token=self.token)
        self._on_lost(why)


async def _to_its_end(writing: Coroutine[Any, Any, None]) -> None:
    """Wait for a write; when cancelled, wait for its answer all the same, for it may be done."""
    task = asyncio.ensure_future(writing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=ANSWER_SECONDS)
        task.cancel()
        raise


def _end_process(_why: str) -> NoReturn:
    """End at once, without clean-up: another leader may be at work already."""
    os._exit(LOST_EXIT_CODE)


def _micro_time() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _boot_id() -> str:
    """Return the boot id and the pid namespace: pids mean something only within both."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]
        namespace = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return uuid.uuid4().hex[:12]  # unknown: never equal to anybody else's
    return f"{boot}.{namespace}"


def _start_time(pid: int) -> str | None:
    """Clock ticks from boot to the start of a process; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in ("Z", "X"):
        return None
    return fields[19]
