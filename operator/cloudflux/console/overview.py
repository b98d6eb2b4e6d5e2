"""What the overview tells: sums over what may be seen. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from cloudflux.api.migrationjob import Phase
from cloudflux.console import views
from cloudflux.console.context import Console
from cloudflux.console.who import Scope
from cloudflux.handlers.resources import DATA_SET, JOB, POLICY, DataSet, Job, Policy

MAX_ALERTS = 50
_RANK = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on one page."""

    data_sets: Sequence[DataSet]
    policies: Sequence[Policy]
    jobs: Sequence[Job]
    cost: dict[str, Decimal]
    savings: dict[str, Decimal]
    realised: dict[str, Decimal]
    alerts: Sequence[views.Alert]

    @property
    def running(self) -> list[Job]:
        """Jobs that have not ended, those that move first."""
        still = [job for job in self.jobs if job.status.phase not in views.ENDED]
        return sorted(still, key=lambda job: (job.status.phase is Phase.QUEUED, job.created))

    @property
    def bytes(self) -> int:
        """Bytes of all data sets."""
        return sum(one.status.inventory.bytes for one in self.data_sets if one.status.inventory)

    @property
    def objects(self) -> int:
        """Objects of all data sets."""
        return sum(one.status.inventory.objects for one in self.data_sets if one.status.inventory)

    @property
    def currency(self) -> str:
        """The currency of most of the cost."""
        return max(self.cost, key=lambda name: self.cost[name], default="USD") or "USD"

    def failed(self) -> int:
        """Jobs that failed."""
        return sum(job.status.phase is Phase.FAILED for job in self.jobs)


def overview(console: Console, scope: Scope) -> Overview:
    """Sum up what may be seen."""
    data_sets = list(views.all_typed(DATA_SET, console.objects(DATA_SET, scope)))
    policies = list(views.all_typed(POLICY, console.objects(POLICY, scope)))
    jobs = list(views.all_typed(JOB, console.objects(JOB, scope)))
    alerts = [alert for one in (*data_sets, *policies, *jobs) for alert in views.alerts_of(one)]
    alerts.sort(key=lambda alert: (_RANK.get(alert.severity, 3), alert.namespace, alert.name))
    return Overview(
        data_sets,
        policies,
        jobs,
        views.sums((one.status.monthly_cost, one.status.currency) for one in data_sets),
        views.sums((one.status.savings_per_month, one.status.currency) for one in data_sets),
        views.sums(
            (one.status.realised_savings_per_month, one.status.currency) for one in policies
        ),
        alerts[:MAX_ALERTS],
    )
