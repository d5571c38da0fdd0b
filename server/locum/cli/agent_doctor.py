"""`locum agent doctor`: what is protected in AI clients, as it is seen in them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from locum import __version__
from locum.errors import EXIT_FINDINGS, EXIT_OK, UsageProblem


@click.command()
@click.argument("client", required=False)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--program", metavar="PATH", default="", help="The client's program, where it is not on PATH.")
def doctor(client: str | None, format_: str, as_json: bool, program: str) -> int:
    """Plant canaries before a client and say what came through: PROTECTED, PARTIAL or UNPROTECTED by event and tool.

    The real client is started in a temporary home with the hooks that are installed, against a stand-in for its model: no
    model is asked, no key is used. Without CLIENT, all clients that have hooks of Locum or stand on PATH. Exit 1 when
    something is not protected.
    """
    from locum.agents.doctor import places, report
    from locum.agents.doctor.examine import examine
    from locum.workspace.project import find_project

    if client is not None and client not in places.CLIENTS:
        raise UsageProblem("agent.client", f"unknown client {client!r}", f"Known are {', '.join(places.CLIENTS)}.")
    if program and client is None:
        raise UsageProblem("agent.program", "--program is for one client", "locum agent doctor CLIENT --program PATH")
    if program and not Path(program).is_file():
        raise UsageProblem("agent.program", f"{program} is not a file")
    project = find_project(Path.cwd()).root
    chosen = [client] if client else _found(project)
    if not chosen:
        raise UsageProblem(
            "agent.none", "no AI client was found here: none is on PATH, and none has hooks of Locum",
            "locum agent install CLIENT",
        )  # fmt: skip
    reports: list[report.Report] = []
    for name in chosen:
        reports.append(examine(name, Path.home(), project, str(Path(program).absolute()) if program else ""))
        if format_ == "text" and not as_json:
            click.echo(reports[-1].as_text())
    if as_json or format_ == "json":
        click.echo(json.dumps(report.as_json(reports, __version__), indent=2))
    else:
        click.echo(f"Locum {__version__}")
    fine = all(one.level == "PROTECTED" and not one.problems for one in reports)
    return EXIT_OK if fine else EXIT_FINDINGS


def _found(project: Path) -> list[str]:
    """Return the clients that are on PATH, or have hooks of ours."""
    import shutil

    from locum.agents.doctor import places
    from locum.agents.doctor.real import REAL

    return [
        name for name in places.CLIENTS
        if (name in REAL and shutil.which(REAL[name].program)) or places.find(name, Path.home(), project).hooks
    ]  # fmt: skip
