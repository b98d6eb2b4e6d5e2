"""What each dashboard shows. In expressions, @ stands for the selectors of the variables."""

from dataclasses import dataclass

RATE = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: its queries are pairs of an expression and the legend of its series."""

    title: str
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    width: int = 12
    height: int = 8


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; its uid is the name of its file and of its address in Grafana."""

    uid: str
    title: str
    description: str
    panels: tuple[Panel, ...]


def _tile(title: str, description: str, unit: str, query: str, legend: str = "") -> Panel:
    return Panel(title, description, unit, ((query, legend),), "stat", 4, 4)


def _graph(title: str, description: str, unit: str, *queries: tuple[str, str]) -> Panel:
    return Panel(title, description, unit, queries)


def _table(title: str, description: str, unit: str, query: str) -> Panel:
    return Panel(title, description, unit, ((query, ""),), "table", 24)


OVERVIEW = Board(
    "cloudflux-overview",
    "CloudFlux / Overview",
    "What the data costs, what could be and is saved, what moves and what fails.",
    (
        _tile("Cost a month", "At the prices of the last evaluations.", "short",
              "sum by (currency) (cloudflux_dataset_cost_per_month{@named})", "{{currency}}"),
        _tile("Savings possible", "A month, by all recommendations.", "short",
              "sum by (currency) (cloudflux_dataset_savings_possible_per_month{@named})",
              "{{currency}}"),
        _tile("Savings realised", "A month, by completed jobs that still exist.", "short",
              "sum by (currency) (cloudflux_dataset_savings_realised_per_month{@named})",
              "{{currency}}"),
        _tile("Moving", "Jobs that move, prove or switch now.", "short",
              "sum(cloudflux_migrations_in_progress{@})"),
        _tile("Failed in 24 h", "Jobs that failed.", "short",
              'sum(increase(cloudflux_migrations_total{@,result="failed"}[24h]))'),
        _tile("Not ready", "Resources whose summary condition is False.", "short",
              'sum(cloudflux_resources{@,ready="false"})'),
        _graph("Cost and savings a month", "Trend of cost and of what could be saved.", "short",
               ("sum by (currency) (cloudflux_dataset_cost_per_month{@named})",
                "cost {{currency}}"),
               ("sum by (currency) (cloudflux_dataset_savings_possible_per_month{@named})",
                "possible savings {{currency}}")),
        _graph("Bytes by tier", "Where the data is; none: the policy names no tier.", "bytes",
               ("sum by (tier) (cloudflux_dataset_bytes{@named})", "{{tier}}")),
        _graph("Migrations ended", "An hour, by result.", "short",
               ("sum by (result) (increase(cloudflux_migrations_total{@}[1h]))", "{{result}}")),
        _graph("Data sets by temperature", "Unknown: no fresh, proven signal of reads.", "short",
               ("sum by (temperature) (cloudflux_dataset_temperature{@named})",
                "{{temperature}}")),
        _table("Not ready, by reason", "Empty when all is well; the reasons are listed in the "
               "documentation.", "short",
               "sum by (kind, reason) (cloudflux_resources_not_ready{@})"),
    ),
)  # fmt: skip
MIGRATIONS = Board(
    "cloudflux-migrations",
    "CloudFlux / Migrations",
    "Throughput, progress and failures of moves.",
    (
        _graph("Bytes by stage", "Copied, proven, switched, deleted at the source.", "Bps",
               (f"sum by (stage) (rate(cloudflux_migration_bytes_total{{@}}{RATE}))",
                "{{stage}}")),
        _graph("Objects by stage", "The same in objects.", "ops",
               (f"sum by (stage) (rate(cloudflux_migration_objects_total{{@}}{RATE}))",
                "{{stage}}")),
        _graph("Jobs by phase", "Finished ones stay until they are deleted.", "short",
               ("sum by (phase) (cloudflux_migrations{@}) > 0", "{{phase}}")),
        _graph("Duration", "Of completed jobs in the last day, by target: median and 95 %.", "s",
               ("histogram_quantile(0.5, sum by (le) "
                "(increase(cloudflux_migration_duration_seconds_bucket{@}[1d])))", "median"),
               ("histogram_quantile(0.95, sum by (le) "
                "(increase(cloudflux_migration_duration_seconds_bucket{@}[1d])))", "95 %")),
        _graph("Failures by class", "An hour.", "short",
               ("sum by (class) (increase(cloudflux_migration_failures_total{@}[1h]))",
                "{{class}}")),
        _graph("Retries and differing objects", "An hour; a job with one differing object "
               "never switches.", "short",
               ("sum(increase(cloudflux_migration_retries_total{@}[1h]))", "retries"),
               ("sum(increase(cloudflux_integrity_failures_total{@}[1h]))", "differing")),
        _table("Jobs in progress", "Share of the present step that is done.", "percentunit",
               "max by (namespace, dataset, migration, phase) "
               "(cloudflux_migration_progress_ratio{@named})"),
    ),
)  # fmt: skip
DATA_SET = Board(
    "cloudflux-dataset",
    "CloudFlux / Data set",
    "One data set: how warm, where, what it costs, what was decided.",
    (
        _tile("Objects", "In all tiers.", "short", "sum(cloudflux_dataset_objects{@data})"),
        _tile("Size", "In all tiers.", "bytes", "sum(cloudflux_dataset_bytes{@data})"),
        _tile("Cost a month", "At the prices of the last evaluation.", "short",
              "sum by (currency) (cloudflux_dataset_cost_per_month{@data})", "{{currency}}"),
        _tile("Savings possible", "A month.", "short",
              "sum by (currency) (cloudflux_dataset_savings_possible_per_month{@data})",
              "{{currency}}"),
        _tile("Signal fresh", "Share of data sets whose reads are seen.", "percentunit",
              "avg(cloudflux_dataset_access_fresh{@data})"),
        _tile("Days covered", "Share of the deciding window.", "percentunit",
              "avg(cloudflux_dataset_access_coverage_ratio{@data})"),
        _graph("Reads in 7 days, and the forecast for them", "The band was forecast a week "
               "before: reads should be in it in 8 of 10 weeks.", "short",
               ('sum(cloudflux_dataset_reads{@data,window="7d"})', "reads"),
               ('sum(cloudflux_dataset_forecast_bound_reads{@data,bound="low"} offset 7d)',
                "forecast, low"),
               ('sum(cloudflux_dataset_forecast_bound_reads{@data,bound="high"} offset 7d)',
                "forecast, high")),
        _graph("Reads expected", "In the next 7 and 30 days.", "short",
               ("sum by (window) (cloudflux_dataset_forecast_reads{@data})", "{{window}}")),
        _graph("Bytes by tier", "Where the data is.", "bytes",
               ("sum by (tier) (cloudflux_dataset_bytes{@data})", "{{tier}}")),
        _graph("Cost a month by tier", "At present prices.", "short",
               ("sum by (tier, currency) (cloudflux_dataset_cost_per_month{@data})",
                "{{tier}} {{currency}}")),
        _graph("Temperature", "1 for the one that it has.", "short",
               ("sum by (temperature) (cloudflux_dataset_temperature{@data}) > 0",
                "{{temperature}}")),
        _graph("Since the last listing", "How old the figures are.", "s",
               ("time() - max by (dataset) "
                "(cloudflux_dataset_last_scan_timestamp_seconds{@data})", "{{dataset}}")),
    ),
)  # fmt: skip
OPERATOR = Board(
    "cloudflux-operator",
    "CloudFlux / Operator internals",
    "The control loop: rate, errors, duration, and what it waits for.",
    (
        _graph("Visits", "By how they ended.", "ops",
               (f"sum by (result) (rate(cloudflux_reconciliations_total{{@}}{RATE}))",
                "{{result}}")),
        _graph("Duration of visits", "95 % are faster.", "s",
               ("histogram_quantile(0.95, sum by (kind, le) "
                f"(rate(cloudflux_reconcile_duration_seconds_bucket{{@}}{RATE})))", "{{kind}}")),
        _graph("Queue", "Keys due and in hand.", "short",
               ("sum(cloudflux_queue_depth{@})", "due"),
               ("sum(cloudflux_queue_in_hand{@})", "in hand")),
        _graph("Lateness", "Of the queue, the event loop, free threads and the watch.", "s",
               ("max(cloudflux_queue_oldest_seconds{@})", "queue"),
               ("max(cloudflux_event_loop_lag_seconds{@})", "event loop"),
               ("max(cloudflux_executor_wait_seconds{@})", "threads"),
               ("max(cloudflux_watch_echo_age_seconds{@})", "watch")),
        _graph("Kubernetes API", "Requests, by verb; get: reads.", "reqps",
               (f"sum by (verb) (rate(cloudflux_api_writes_total{{@}}{RATE}))", "{{verb}}"),
               (f"sum(rate(cloudflux_api_reads_total{{@}}{RATE}))", "read")),
        _graph("Child processes", "Open tasks, and how many ended.", "short",
               ("sum by (child) (cloudflux_child_tasks{@})", "{{child}} tasks"),
               ("sum by (child) (cloudflux_child_deaths_total{@})", "{{child}} ends")),
        _graph("Memory", "Resident, of the control process without its children.", "bytes",
               ("max(process_resident_memory_bytes{@})", "resident")),
        _graph("Processor", "Of the control process.", "percentunit",
               (f"max(rate(process_cpu_seconds_total{{@}}{RATE}))", "processor")),
        _graph("Policies", "Evaluations and failures, an hour.", "short",
               ("sum(increase(cloudflux_policy_evaluations_total{@}[1h]))", "evaluations"),
               ("sum(increase(cloudflux_policy_failures_total{@}[1h]))", "failures")),
        _graph("Access signals", "Lines read a second.", "ops",
               (f"sum by (result) (rate(cloudflux_access_lines_total{{@}}{RATE}))",
                "{{result}}")),
    ),
)  # fmt: skip
EVENTS = Board(
    "cloudflux-events",
    "CloudFlux / Event stream",
    "Which events are told, and whether Kafka takes them.",
    (
        _graph("Events told", "By type.", "ops",
               (f"sum by (type) (rate(cloudflux_events_told_total{{@}}{RATE}))", "{{type}}")),
        _graph("Events that brokers took", "By type.", "ops",
               (f"sum by (type) (rate(cloudflux_events_produced_total{{@}}{RATE}))", "{{type}}")),
        _graph("Outbox", "Events that wait for a broker.", "short",
               ("sum(cloudflux_outbox_events{@})", "waiting")),
        _graph("Age of the oldest", "How far consumers are behind.", "s",
               ("max(cloudflux_outbox_oldest_age_seconds{@})", "age")),
        _graph("Failed hand-overs", "By reason.", "ops",
               (f"sum by (reason) (rate(cloudflux_events_failures_total{{@}}{RATE}))",
                "{{reason}}")),
        _graph("Dropped", "An hour; progress and observation only, and the gap is told.", "short",
               ("sum by (type) (increase(cloudflux_events_dropped_total{@}[1h]))", "{{type}}")),
        _table("Recent events", "Told in the time shown, by type.", "short",
               "sum by (type) (increase(cloudflux_events_told_total{@}[$__range])) > 0"),
    ),
)  # fmt: skip
DASHBOARDS = (OVERVIEW, MIGRATIONS, DATA_SET, OPERATOR, EVENTS)
