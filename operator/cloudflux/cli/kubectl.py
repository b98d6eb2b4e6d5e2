"""`kubectl cloudflux`: what people ask of moves, said through kubectl and with its rights only.

It calls `kubectl`, so that contexts, proxies and logins are the user's own, and adds no right.
"""

import json
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from cloudflux.cli import kubectl_report, kubectl_say
from cloudflux.cli.kubectl_say import Json

app = typer.Typer(
    name="kubectl-cloudflux",
    help="See, approve and steer what CloudFlux does, with kubectl's own login and rights.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
DATA_SETS, POLICIES, JOBS = (
    f"{name}.cloudflux.io" for name in ("datasets", "tieringpolicies", "migrationjobs")
)


class Output(StrEnum):
    """How it is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class Cluster:
    """Where to ask: the options that every command begins with."""

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl; ends the program with kubectl's own words when it fails."""
        try:
            done = subprocess.run(
                ["kubectl", *self.arguments, *arguments],
                input=stdin, capture_output=True, text=True, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            typer.echo("error: kubectl is not on PATH", err=True)
            raise typer.Exit(1) from None
        if done.returncode != 0:
            typer.echo(
                done.stderr.strip() or f"error: kubectl ended with {done.returncode}", err=True
            )
            raise typer.Exit(1)
        return done.stdout

    def get(self, *arguments: str) -> Json:
        """Read objects as JSON."""
        found: Json = json.loads(self.run("get", *arguments, "-o", "json"))
        return found

    def patch_job(self, name: str, spec: Json) -> None:
        """Change a MigrationJob's spec."""
        body = json.dumps({"spec": spec})
        self.run("patch", JOBS, name, "--type=merge", "-p", body)


NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace; absent: the context's.")
]
ContextOption = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")]
KubeconfigOption = Annotated[str | None, typer.Option("--kubeconfig", help="Kubeconfig to use.")]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text, json or yaml.")]
JobArgument = Annotated[str, typer.Argument(help="Name of the MigrationJob.")]


@app.callback()
def root(
    context: typer.Context,
    namespace: NamespaceOption = None,
    kube_context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """See, approve and steer what CloudFlux does, with kubectl's own login and rights."""
    given = (
        ("--namespace", namespace), ("--context", kube_context), ("--kubeconfig", kubeconfig),
    )  # fmt: skip
    context.obj = Cluster([f"{option}={value}" for option, value in given if value])


def _show(value: Any, text: str, output: Output) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(value, indent=2))
    elif output is Output.YAML:
        typer.echo(yaml.safe_dump(value, sort_keys=False).rstrip())
    else:
        typer.echo(text)


@app.command()
def status(
    context: typer.Context,
    output: OutputOption = Output.TEXT,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all.")] = False,
) -> None:
    """Data sets, what they cost and could save, and the moves that go on."""
    where = ["--all-namespaces"] if everywhere else []
    data_sets = context.obj.get(DATA_SETS, *where)["items"]
    jobs = context.obj.get(JOBS, *where)["items"]
    found = kubectl_say.overview(data_sets, jobs)
    _show(found, kubectl_say.overview_text(found, colour=sys.stdout.isatty()), output)


@app.command()
def plan(context: typer.Context, job: JobArgument, output: OutputOption = Output.TEXT) -> None:
    """What a job would move, cost, save and take, and how to approve it."""
    found = context.obj.get(JOBS, job)
    shown = found.get("status", {}).get("plan")
    if shown is None:
        typer.echo(f"{job} has no plan yet: {kubectl_say.why(found)}", err=True)
        raise typer.Exit(1)
    _show(shown, kubectl_say.plan_text(found), output)


@app.command()
def explain(
    context: typer.Context,
    data_set: Annotated[str, typer.Argument(help="Name of the DataSet.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Why a data set is where it is: its signal, temperature, cost and every recommendation."""
    found = context.obj.get(DATA_SETS, data_set)
    _show(found.get("status", {}), kubectl_say.explain_text(found), output)


@app.command()
def approve(
    context: typer.Context,
    job: JobArgument,
    plan_hash: Annotated[
        str | None, typer.Option("--hash", help="The plan that was read; absent: shown and asked.")
    ] = None,
) -> None:
    """Approve the plan of a job: exactly the one that is shown, or that --hash names."""
    found = context.obj.get(JOBS, job)
    present = found.get("status", {}).get("plan", {}).get("hash")
    if present is None:
        typer.echo(f"{job} has no plan to approve: {kubectl_say.why(found)}", err=True)
        raise typer.Exit(1)
    if plan_hash is None:
        typer.echo(kubectl_say.plan_text(found))
        if not sys.stdin.isatty():
            typer.echo(f"error: nobody to ask; approve with --hash {present}", err=True)
            raise typer.Exit(1)
        typer.confirm("Approve this plan?", abort=True)
    elif plan_hash != present:
        typer.echo(
            f"error: the plan is {present} by now; read it: kubectl cloudflux plan {job}", err=True
        )
        raise typer.Exit(1)
    context.obj.patch_job(job, {"approval": present})
    typer.echo(f"{job}: plan {present} is approved.")


@app.command()
def cancel(context: typer.Context, job: JobArgument) -> None:
    """Stop a job for good, as long as it has not begun to switch."""
    context.obj.patch_job(job, {"cancel": True})
    typer.echo(f"{job} is asked to stop; see: kubectl cloudflux watch {job}")


@app.command()
def retry(context: typer.Context, job: JobArgument) -> None:
    """Start a job that failed or was cancelled once more, as a new job with the same spec."""
    found = context.obj.get(JOBS, job)
    phase = found.get("status", {}).get("phase")
    if phase not in ("Failed", "Cancelled"):
        typer.echo(
            f"error: {job} is {phase or 'new'}; only what ended unfinished can be retried", err=True
        )
        raise typer.Exit(1)
    again = kubectl_say.again(found)
    context.obj.run("create", "-f", "-", stdin=json.dumps(again))
    typer.echo(f"{again['metadata']['name']} is created.")


@app.command()
def watch(
    context: typer.Context,
    job: Annotated[str | None, typer.Argument(help="MigrationJob; absent: all of them.")] = None,
) -> None:
    """Follow moves as they go, until Ctrl-C; of one job, until it has ended."""
    arguments = [
        "get",
        JOBS,
        *([job] if job else []),
        "--watch",
        "-o",
        "json",
        "--output-watch-events",
    ]
    process = subprocess.Popen(
        ["kubectl", *context.obj.arguments, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        for event in kubectl_say.stream(process.stdout):
            found = event["object"]
            typer.echo(kubectl_say.job_line(found, colour=sys.stdout.isatty()))
            if job and kubectl_say.over(found):
                break
    except KeyboardInterrupt:
        pass
    finally:
        process.terminate()
        process.wait()


@app.command()
def report(
    context: typer.Context,
    file: Annotated[Path, typer.Option("--file", "-f", help="Archive to write.")] = Path(
        "cloudflux-report.tar.gz"
    ),
    operator_namespace: Annotated[
        str, typer.Option(help="Namespace that the operator runs in.")
    ] = "cloudflux",
    names: Annotated[
        bool, typer.Option(help="Keep names of buckets, hosts and directories.")
    ] = False,
) -> None:
    """Write what helps to find a fault: resources, events and logs, without secrets or data."""
    written = kubectl_report.write(context.obj.run, file, operator_namespace, keep_names=names)
    typer.echo(f"{file}: {', '.join(written)}. Read it before you send it.")


if __name__ == "__main__":
    app()
