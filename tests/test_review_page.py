"""The page in a real browser, by keyboard."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from factories import make_pair, needs, run_recode
from processes import below, within
from reviewing import BETTER, Client, make_dataset, served_dataset, sitting

needs("playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)

from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright  # noqa: E402

HOSTILE = """</textarea></div><script>document.title = "taken"</script><img src=x onerror='document.title = "taken"'>
<style>body { display: none }</style><svg onload='document.title = "taken"'></svg>
<a href='javascript:document.title = "taken"' autofocus onfocus='document.title = "taken"'>press</a> {{nonce}} $x < y$
```html onload=x
<iframe src="http://192.0.2.1/"></iframe><script>document.title = "taken"</script>
```
<base href="http://192.0.2.1/"><meta http-equiv="refresh" content="0; url=http://192.0.2.1/"> the end"""


@pytest.fixture(scope="module")
def driver() -> Iterator[Playwright]:
    expect.set_options(timeout=60_000)  # a busy machine is no fault
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="module")
def browser(driver: Playwright) -> Iterator[Browser]:
    running = launch(driver)
    yield running
    running.close()


def launch(driver: Playwright) -> Browser:
    return driver.chromium.launch(executable_path=CHROMIUM)


def opened(browser: Browser, client: Client) -> Page:
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.goto(client.url)
    expect(page.locator("#where")).not_to_have_text("Loading")
    return page


def answer(page: Page, n: int) -> None:
    """Answers n pairs rightly by keyboard."""
    for _ in range(n):
        before = int(page.inner_text("#count").split()[0])
        text = page.inner_text("#left")
        for key in ("1" if text.startswith(BETTER) else "2", "s", "Enter"):
            page.keyboard.press(key)
        expect(page.locator("#count")).to_contain_text(f"{before + 1} of 10")


def kill_browser(browser: Browser) -> None:
    """Kills every process of a browser at once."""
    pids = {pid for pid in below(os.getpid()) if b"chrom" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]}
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert within(20, lambda: not pids & below(os.getpid()))
    browser.close()


def test_ten_pairs_by_keyboard_with_a_killed_browser_and_the_kappa_of_two(driver: Playwright, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "pairs")
    with sitting(data, "--reviewer", "Ada") as ada:
        first = launch(driver)
        page = opened(first, ada.client)
        answer(page, 5)
        page.keyboard.press("2")  # not saved
        kill_browser(first)
        second = launch(driver)
        page = opened(second, ada.client)
        expect(page.locator("#where")).to_have_text("Pair 6 of 10")
        answer(page, 5)
        expect(page.locator("#done")).to_be_visible()
        assert ada.end()[1].startswith("10 of 10 pairs answered -> ")
        second.close()
    with served_dataset(data, "Bob") as bob:
        bob.answer_all(wrong={2, 5})
    files = [tmp_path / "pairs.reviews" / f"{name}.jsonl" for name in ("Ada", "Bob")]
    done = run_recode("review", data, "--merge", files[0], "--merge", files[1], "--json")
    merged = json.loads(done.stdout)
    assert merged["agreement"]["kappa"] == pytest.approx(0.6)
    assert [reviewer["label"]["accuracy"] for reviewer in merged["reviewers"]] == [1.0, 0.8]
    assert merged["reviewers"][0]["reasons"] == {"gap": 10}


def test_a_hostile_text_is_shown_and_does_nothing(browser: Browser, tmp_path: Path) -> None:
    pair = make_pair("a", problem=HOSTILE, chosen_reasoning=HOSTILE, rejected_reasoning=f"{HOSTILE} {HOSTILE}")
    with served_dataset(tmp_path / "pairs", "Ada", [pair]) as client:
        page = browser.new_page()
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(client.url)
        for place in ("#problem", "#left", "#right"):
            expect(page.locator(place)).to_contain_text("</textarea></div><script>document.title")
            expect(page.locator(place)).to_contain_text('<iframe src="http://192.0.2.1/"></iframe>')
            expect(page.locator(f"{place} :not(div, pre, code)")).to_have_count(0)
            assert page.locator(f"{place} pre").first.get_attribute("data-language") == "html onload=x"
        page.keyboard.press("n")
        page.keyboard.type(HOSTILE.splitlines()[0])
        page.keyboard.press("Escape")
        page.keyboard.press("3")
        page.keyboard.press("Enter")
        expect(page.locator("#done")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#note")).to_have_value(HOSTILE.splitlines()[0])
        assert page.title() == "Review of pairs"
        assert {url.startswith(client.url) for url in asked} == {True}
        assert said == []
        page.close()


def test_the_page_tells_neither_label_nor_origin(browser: Browser, tmp_path: Path) -> None:
    with served_dataset(tmp_path / "pairs", "Ada") as client:
        page = opened(browser, client)
        sent = []
        page.on("response", lambda response: sent.append(response.text()))
        for number in range(1, 11):
            expect(page.locator("#where")).to_have_text(f"Pair {number} of 10")
            sent.append(page.content())
            page.keyboard.press("ArrowRight")
        assert len(sent) >= 19
        for secret in ("secret-model", "secret code", "degraded/", "rejected", "natural"):
            assert not [text for text in sent if secret in text], secret
        page.close()


def test_keys_go_back_take_back_and_leave_notes_alone(browser: Browser, tmp_path: Path) -> None:
    with served_dataset(tmp_path / "pairs", "Ada") as client:
        page = opened(browser, client)
        where, pressed = page.locator("#where"), page.locator("#choices [aria-pressed=true]")
        page.keyboard.press("Enter")  # nothing is chosen: nothing is saved
        for key in ("2", "a", "d", "d", "n"):
            page.keyboard.press(key)
        page.keyboard.type("4 u p why")
        page.keyboard.press("Enter")
        expect(where).to_have_text("Pair 2 of 10")
        page.keyboard.press("ArrowLeft")
        expect(where).to_have_text("Pair 1 of 10, answered")
        expect(pressed).to_have_text("2Right is better")
        expect(page.locator("#note")).to_have_value("4 u p why")
        assert client.json("pairs/0")["answer"]["reasons"] == ["false_claim"]
        page.keyboard.press("4")
        page.keyboard.press("Enter")
        expect(where).to_have_text("Pair 2 of 10")
        page.keyboard.press("u")
        expect(where).to_have_text("Pair 1 of 10")
        expect(pressed).to_have_count(0)
        assert client.json("state")["answered"] == 0
        page.close()


def test_two_tabs_and_a_server_that_dies_lose_nothing_in_silence(browser: Browser, tmp_path: Path) -> None:
    with sitting(make_dataset(tmp_path / "pairs"), "--reviewer", "Ada") as running:
        tabs = [opened(browser, running.client), opened(browser, running.client)]
        for page, key in zip(tabs, "12", strict=True):
            page.keyboard.press(key)
            page.keyboard.press("Enter")
            expect(page.locator("#where")).to_have_text("Pair 2 of 10")
        assert running.client.json("pairs/0")["answer"]["choice"] == "right"
        running.end(signal.SIGKILL)
        tabs[0].keyboard.press("1")
        tabs[0].keyboard.press("Enter")
        expect(tabs[0].locator("#fault")).to_contain_text("The server does not answer")
        expect(tabs[0].locator("#where")).to_have_text("Pair 2 of 10")
        for page in tabs:
            page.close()
    assert len((tmp_path / "pairs.reviews" / "Ada.jsonl").read_text().split()) == 2


def test_long_texts_are_read_by_keyboard_side_by_side(browser: Browser, tmp_path: Path) -> None:
    long, longer = ("\n\n".join(f"Step {n}: " + "go on, " * 20 for n in range(k)) for k in (50, 60))
    pair = make_pair("a", problem=long, chosen_reasoning=long, rejected_reasoning=longer)
    with served_dataset(tmp_path / "pairs", "Ada", [pair]) as client:
        page = opened(browser, client)

        def tops() -> list[float]:
            return [page.locator(side).evaluate("pane => pane.scrollTop") for side in ("#left", "#right")]

        height = page.locator("#left").evaluate("pane => pane.clientHeight")
        page.keyboard.press("p")
        expect(page.locator("#problem")).to_be_hidden()
        assert page.locator("#left").evaluate("pane => pane.clientHeight") > height
        page.keyboard.press("Space")
        assert tops()[0] == tops()[1] > 0
        page.keyboard.press("End")
        assert tops()[0] != tops()[1]
        page.keyboard.press("Home")
        page.keyboard.press("l")
        page.locator("#right").focus()
        page.keyboard.press("ArrowDown")
        assert tops()[0] == 0 < tops()[1]
        assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
        page.close()
