"""The page of reports: complete, escaped, self-contained."""

import re
from html.parser import HTMLParser

from factories import make_pair
from lcb_rb.evaluation import score_pairs
from lcb_rb.scorers import load_scorer
from leaderboard.page import render_page

PAIRS = [make_pair(f"p{i}/a", problem_id=f"p{i}") for i in range(5)]


def report(name, scorer=None):
    found = score_pairs(load_scorer(scorer or name), PAIRS, data="d", data_revision="0" * 64, command="c")
    return found.model_copy(update={"provenance": found.provenance.model_copy(update={"scorer": name})})


def page(*names):
    return render_page("Title", "Intro", {"Set": [report(name, "length") for name in names]})


def test_the_best_stands_first():
    html = render_page("t", "i", {"Set": [report("shorter"), report("length")]})
    assert html.index(">length<") < html.index(">shorter<")


def test_a_hostile_name_is_escaped():
    html = page("<script>alert(1)</script>")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_field_marks_in_a_name_are_not_filled():
    assert "{{version}}" in page("{{version}}")


def test_nothing_is_loaded_from_elsewhere():
    assert not re.search(r"(?:src|href)\s*=|@import|url\(", page("length"))


def test_every_tag_is_closed():
    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag != "meta":
                self.open.append(tag)

        def handle_startendtag(self, tag, attrs):
            pass

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(page("length", "other"))
    assert parser.open == []


def test_the_interval_is_drawn_where_it_lies():
    found = report("length")
    html = render_page("t", "i", {"Set": [found]})
    assert found.overall.interval
    assert f'x1="{100 * found.overall.interval.low:.1f}%"' in html
    assert f'cx="{100 * found.overall.accuracy:.1f}%"' in html
