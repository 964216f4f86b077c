"""The sub-commands of builders: `recode build ...`, and those that look at what was built."""

import typer

from builders.commands import audit, build, overlap, review, samples

app = typer.Typer(no_args_is_help=True, help="Make datasets of preference pairs.")
app.command("samples")(samples.samples)
app.command("lcb-rb")(build.lcb_rb)
app.command("crpl")(build.crpl)
app.command("release")(build.release)

tools = typer.Typer()
"""Commands of the top level: audit, overlap, review."""
tools.command("review")(review.review)
tools.command("audit")(audit.audit)
tools.command("overlap")(overlap.overlap)
