"""The Grafana dashboards of the chart, as code: `python -m cloudflux_dev.reference` writes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from cloudflux_dev.dashboard_panels import DASHBOARDS, Board, Panel

DIRECTORY = Path(__file__).resolve().parents[2] / "charts" / "cloudflux" / "dashboards"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
SELECTORS = {
    "@data": 'job=~"$job",namespace=~"$namespace",dataset=~"$dataset"',
    "@named": 'job=~"$job",namespace=~"$namespace"',
    "@": 'job=~"$job"',
}
"""What stands for the variables in an expression of dashboard_panels, longest first."""


def expand(expression: str) -> str:
    """Return the expression with the selectors of the variables."""
    for mark, selector in SELECTORS.items():
        expression = expression.replace(mark, selector)
    return expression


@dataclass(frozen=True, slots=True)
class Query:
    """One query of one panel, as Prometheus gets it but for Grafana's variables."""

    board: str
    panel: str
    expression: str


def queries() -> list[Query]:
    """Return every query of every panel."""
    return [
        Query(board.uid, panel.title, expand(expression))
        for board in DASHBOARDS
        for panel in board.panels
        for expression, _ in panel.queries
    ]


def files() -> dict[Path, str]:
    """Return the content of every dashboard by its path."""
    return {
        DIRECTORY / f"{board.uid}.json": JSONEncoder(sort_keys=True, indent=1).encode(_build(board))
        + "\n"
        for board in DASHBOARDS
    }


def _build(board: Board) -> Any:
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["cloudflux"])
        .readonly()
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("1m")
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
        .with_variable(_variable("job", "label_values(cloudflux_build_info, job)"))
        .link(
            dashboard.DashboardLink("CloudFlux")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["cloudflux"])
        )
    )
    if any(
        "@named" in query or "@data" in query for one in board.panels for query, _ in one.queries
    ):
        values = "label_values(cloudflux_dataset_access_fresh, namespace)"
        made = made.with_variable(_variable("namespace", values))
    if any("@data" in query for one in board.panels for query, _ in one.queries):
        values = 'label_values(cloudflux_dataset_access_fresh{namespace=~"$namespace"}, dataset)'
        made = made.with_variable(_variable("dataset", values))
    for title, color, expression in (
        ("Completed", "green", _ended("completed")),
        ("Failed", "red", _ended("failed")),
    ):
        made = made.annotation(
            dashboard.AnnotationQuery()
            .name(title)
            .enable(True)
            .icon_color(color)
            .datasource(SOURCE)
            .expr(expand(expression))
        )
    for panel in board.panels:
        made = made.with_panel(_panel(panel))
    return made.build()


def _ended(result: str) -> str:
    return f'sum(increase(cloudflux_migrations_total{{@,result="{result}"}}[$__interval])) > 0'


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(True)
        .all_value(".*")
        .multi(True)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _panel(panel: Panel) -> Any:
    kinds: dict[str, Any] = {
        "stat": stat.Panel,
        "table": table.Panel,
        "timeseries": timeseries.Panel,
    }
    made = (
        kinds[panel.kind]()
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .span(panel.width)
        .height(panel.height)
    )
    for number, (expression, legend) in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(expand(expression)).legend_format(legend)
        query = query.ref_id(chr(ord("A") + number)).datasource(SOURCE)
        if panel.kind != "timeseries":
            query = query.instant()
        if panel.kind == "table":
            query = query.format(PromQueryFormat.TABLE)
        made = made.with_target(query)
    return made
