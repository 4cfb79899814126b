"""`nlpkit doctor`: the installation and the machine, and what about them is poor."""

import typer

from . import options, output


def doctor(as_json: options.Json = False) -> None:
    """Show versions, processor level, threads, devices, free memory and disk, and warn of what is poor.

    Example: nlpkit doctor --json
    """
    from nlpkit.pipeline.doctor import diagnose

    diagnosis = diagnose()
    if as_json:
        output.print_json({"facts": diagnosis.facts, "warnings": diagnosis.warnings})
        return
    facts = dict(diagnosis.facts)
    output.print_fields(facts.pop("versions"))
    print()
    output.print_fields({name: _readable(name, value) for name, value in facts.items()})
    print()
    for warning in diagnosis.warnings:
        typer.echo(f"! {warning}")
    if not diagnosis.warnings:
        typer.echo("Nothing is missing.")


def _readable(name: str, value: object) -> object:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, int) and name in ("memory", "free memory", "free disk"):
        return f"{value / 2**30:.1f} GiB"
    return value
