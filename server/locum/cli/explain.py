"""`locum explain`: what a rule finds and how such a secret is rotated. Offline."""

from __future__ import annotations

import textwrap
from pathlib import Path

import click

from locum.errors import UsageProblem
from locum.refs.manifest import FILE_NAME
from locum.refs.own_rule import OWN


@click.command()
@click.argument("rule")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(rule: str, format_: str) -> None:
    """Say what RULE finds, and how to rotate such a secret."""
    from locum.detect.engine import default_engine  # 20 ms: `--help` needs no rules

    rules = default_engine().rules
    if rule not in rules and rule.startswith(OWN):
        from locum.workspace.scanner import Scanner

        rules = Scanner().rules(Path.cwd() / FILE_NAME)
    found = rules.get(rule)
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(rule, rules, n=1, cutoff=0.0)
        raise UsageProblem("rule.unknown", f"there is no rule {rule[:60]!r}", f"Did you mean {near[0]}?")
    if format_ == "json":
        import json

        click.echo(json.dumps({
            "version": 1, "rule": found.id, "title": found.title, "severity": found.severity,
            "confidence": found.confidence, "secret_name": found.secret_name, "explanation": found.explanation, "url": found.url,
        }))  # fmt: skip
        return
    click.echo(f"{found.id}: {found.title} ({found.severity})\n")
    click.echo(textwrap.fill(found.explanation, width=96))
    if found.url:
        click.echo(f"\nThe vendor's page: {found.url}")
    click.echo(f"Move it to the vault: locum fix --rule {found.id}")
