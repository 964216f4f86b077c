"""A self-contained HTML page of reports: one table a dataset, intervals drawn as bars; it computes nothing."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from lcb_rb import __version__
from lcb_rb.schema import Accuracy, Report
from lcb_rb.tables import HEAD, accuracy_cells, baselines_beside, data_version, notes_of, ranked_reports
from lcb_rb.templates import fill

TEMPLATE = Path(__file__).parent / "page.html"
SCALE = '<th class="scale" aria-hidden="true"><span>0</span><span>0.5</span><span>1</span></th>'


def render_page(title: str, intro: str, sections: Mapping[str, Sequence[Report]]) -> str:
    """Returns the page; every text is escaped, nothing is loaded from elsewhere.

    Args:
        title: Of the page.
        intro: One paragraph of plain text.
        sections: Reports of each dataset by the heading they stand under, shown best first.
    """
    fields = {
        "title": escape(title),
        "intro": escape(intro),
        "sections": "\n".join(_section(heading, reports) for heading, reports in sections.items()),
        "version": escape(__version__),
    }
    return fill(TEMPLATE.read_text(encoding="utf-8"), fields)


def _section(heading: str, reports: Sequence[Report]) -> str:
    ranked = ranked_reports(reports)
    head = "".join(f'<th scope="col">{cell}</th>' for cell in ("scorer", *HEAD)) + SCALE
    rows = "\n".join(
        [
            *(_row(report.provenance.scorer, report.provenance.scorer_revision, report.overall) for report in ranked),
            *(_row(f"baseline {name}", "does not read", found) for name, found in baselines_beside(ranked).items()),
        ]
    )
    facts = dict.fromkeys(fact for report in ranked for fact in _facts(report))
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"
    note = "\n".join(f'<p class="note">{escape(fact)}</p>' for fact in facts)
    return f'<h2>{escape(heading)}</h2>\n<div class="wide">{table}</div>\n{note}'


def _row(scorer: str, revision: str, accuracy: Accuracy) -> str:
    name = f'<td title="{escape(revision)}">{escape(scorer)}</td>'
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in accuracy_cells(accuracy))
    return f'<tr>{name}{cells}<td class="bar">{_bar(accuracy)}</td></tr>'


def _bar(accuracy: Accuracy) -> str:
    """Returns a drawing of the accuracy and its interval on the scale from 0 to 1."""
    if accuracy.accuracy is None:
        return "not scored"
    axis = '<line class="axis" x1="50%" x2="50%" y1="0" y2="100%"/>'
    point = f'<circle class="point" cx="{100 * accuracy.accuracy:.1f}%" cy="50%" r="4"/>'
    interval = accuracy.interval
    if interval is None:
        return f'<svg role="img" aria-label="{accuracy.accuracy:.3f}">{axis}{point}</svg>'
    low, high = f"{100 * interval.low:.1f}%", f"{100 * interval.high:.1f}%"
    label = f"{accuracy.accuracy:.3f}, interval {interval.low:.3f} to {interval.high:.3f}"
    line = f'<line class="range" x1="{low}" x2="{high}" y1="50%" y2="50%"/>'
    return f'<svg role="img" aria-label="{label}">{axis}{line}{point}</svg>'


def _facts(report: Report) -> list[str]:
    provenance = report.provenance
    basis = f"{report.overall.n} pairs over {report.overall.n_problems} problems, {provenance.data}"
    return [
        f"{basis}, {data_version(provenance)}, seed {provenance.seed}; {provenance.command}",
        *(f"{provenance.scorer}: {note}" for note in notes_of(report)),
    ]
