"""The quiz by key presses: in JupyterLab, where no key may reach the cells, and on a page without a kernel."""

import itertools
import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from labs.kit.questions import Question, grade
from labs.kit.quiz import quiz_widget
from tests.browser.journeys import Lab, audit, cells, focused, open_notebook, run_all, set_theme, show_static, tab_to
from tests.browser.samples import MATCH, ONE, ORDER, QUESTIONS, SEVERAL

SEED = "seed"
RIGHT: dict[str, Any] = {
    "port": "`-p 8080:80`",
    "survives": ["its image", "a named volume that it used"],
    "way": [item.text for item in ORDER.items],
    "jobs": {pair.left: pair.right for pair in MATCH.pairs},
}
WRONG: dict[str, Any] = {
    "port": "`-p 80:8080`",
    "survives": ["its image", "its logs"],
    "way": RIGHT["way"][::-1],
    "jobs": dict.fromkeys(RIGHT["jobs"], "keeps images"),
}
WHYS = [part.why for question in QUESTIONS for part in (*question.options, *question.items, *question.pairs)]

CELLS = [
    "import json\nfrom pathlib import Path\n"
    "from labs.kit.quiz import quiz_widget\nfrom tests.browser.samples import QUESTIONS\nsaid = Path('said.jsonl')",
    "earlier = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []\n"
    "def keep(*answer):\n    with said.open('a') as file:\n        file.write(json.dumps(answer) + '\\n')\n"
    f"quiz_widget(QUESTIONS, {SEED!r}, {{name: answer for name, answer, _ in earlier}}, keep)",
    "'after the quiz'",
]


def _quiz(
    page: Page, answers: dict[str, Any] | None = None, questions: list[Question] = QUESTIONS, **shown: Any
) -> Locator:
    """A quiz on a page without a kernel."""
    show_static(page, quiz_widget(questions, SEED, answers or {}, print), **shown)
    return page.locator(".course-quiz")


# --- In JupyterLab ---


def _said(lab: Lab) -> list[Any]:
    file = lab.folder / "said.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_all_kinds_with_the_keyboard_only_and_again_after_a_second_run(lab: Lab, page: Page) -> None:
    """Each key reaches the quiz and none the cells; what was said is spoken, recorded, and there again."""
    (lab.folder / "said.jsonl").unlink(missing_ok=True)
    open_notebook(page, lab, lab.write_notebook("quiz.ipynb", CELLS))
    run_all(page)
    quiz = page.locator(".course-quiz")
    quiz.evaluate("element => { element.tabIndex = -1; element.focus(); element.removeAttribute('tabindex'); }")
    tab_to(page, quiz.get_by_role("radio").first)
    before = cells(page)
    assert before == {"count": 3, "active": 1}
    for answer in (_one, _several, _order, _match):
        answer(page, quiz)
        expect(quiz.get_by_role("status")).to_contain_text("Right.")
        assert focused(page) in ("Next", "See result")
        page.keyboard.press("Enter")
        assert cells(page) == before
    expect(quiz.locator(".cq-score")).to_contain_text("4 of 4 right")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status === 'idle'"
    )
    said = _said(lab)
    assert [(name, right) for name, _, right in said] == [
        *(("port", False), ("port", True), ("survives", True), ("way", True), ("jobs", True)),
    ]
    assert said[-1][1] == RIGHT["jobs"]

    run_all(page)
    expect(page.locator(".cq-score")).to_contain_text("4 of 4 right")
    assert _said(lab) == said


def _one(page: Page, quiz: Locator) -> None:
    """Arrows move the choice; letters that insert and delete cells do nothing; wrong first, then right."""
    keys, before = page.keyboard, cells(page)
    tab_to(page, quiz.get_by_role("radio").first)
    seen = []
    for key in ("Space", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown"):
        keys.press(key)
        seen.append([radio.is_checked() for radio in quiz.get_by_role("radio").all()].index(True))
    assert seen == [0, 1, 2, 1, 2]
    for key in ("b", "a", "d", "d", "x", "m", "Escape"):
        keys.press(key)
    assert cells(page) == before
    keys.press("Enter")
    expect(quiz.get_by_role("status")).to_contain_text("Not right yet.")
    expect(quiz.get_by_role("status")).to_contain_text("This publishes port 8080 of the container")
    assert focused(page) == "Next"
    keys.press("Shift+Tab")
    assert focused(page) == "Try again"
    keys.press("Enter")
    expect(quiz.get_by_role("radio").first).to_be_focused()
    keys.press("Space")
    for _ in range(3):
        keys.press("ArrowDown")
    _check(page, quiz)


def _several(page: Page, quiz: Locator) -> None:
    """The focus comes to the question; Space chooses."""
    assert focused(page) == f"Question 2 of 4. {SEVERAL.stem}"
    for text in RIGHT["survives"]:
        _into(page, quiz, quiz.get_by_role("checkbox", name=text))
        page.keyboard.press("Space")
        page.keyboard.press("b")
    _check(page, quiz)


def _order(page: Page, quiz: Locator) -> None:
    """Alt with arrows, and the buttons: each item is carried up to its place."""
    status = quiz.get_by_role("status")
    for place, item in enumerate(ORDER.items):
        _into(page, quiz, quiz.get_by_role("button", name=f"Move up: {item.text}"))
        now = quiz.locator(".cq-order .cq-text").all_text_contents().index(item.text)
        while now > place:
            page.keyboard.press("Alt+ArrowUp" if place % 2 else "Enter")
            now -= 1
            expect(status).to_have_text(f"{item.text} is now {now + 1} of 4.")
    _check(page, quiz)


def _match(page: Page, quiz: Locator) -> None:
    """Nothing is graded while one is missing. Typing picks from a list."""
    _check(page, quiz)
    expect(quiz.get_by_role("status")).to_contain_text("Choose something for each one first.")
    for pair in MATCH.pairs:
        _into(page, quiz, quiz.get_by_label(pair.left))
        page.keyboard.type(pair.right)
    _check(page, quiz)


def _check(page: Page, quiz: Locator) -> None:
    _into(page, quiz, quiz.get_by_role("button", name="Check"))
    page.keyboard.press("Enter")


def _into(page: Page, quiz: Locator, target: Locator) -> None:
    """Tab from the question's stem to something in it."""
    quiz.locator(".cq-stem").focus()
    tab_to(page, target)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_fault_in_a_theme_of_jupyterlab(lab: Lab, page: Page, theme: str) -> None:
    cell = (
        "from labs.kit.quiz import quiz_widget\nfrom tests.browser.samples import *\n"
        "from IPython.display import display\n"
        f"wrong, right = {WRONG!r}, {RIGHT!r}\n"
        "for question in QUESTIONS:\n"
        "    for answers in ({}, {question.id: wrong[question.id]}, {question.id: right[question.id]}):\n"
        "        display(quiz_widget([question], 'seed', answers, print))\n"
    )
    open_notebook(page, lab, lab.write_notebook(f"themes-{theme}.ipynb", [cell]))
    set_theme(page, theme)
    run_all(page)
    expect(page.locator(".course-quiz")).to_have_count(12)
    assert audit(page, ".course-quiz") == []  # eight of them at their result
    for back in page.get_by_role("button", name="Previous").all():
        if back.is_enabled():
            back.evaluate("button => button.click()")
    expect(page.locator(".cq-reason")).to_have_count(2 * len(WHYS))
    assert audit(page, ".course-quiz") == []


# --- Without a kernel ---


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.kind)
def test_the_browser_grades_as_python_does(page: Page, question: Question) -> None:
    _quiz(page, questions=[question])
    options = [option.text for option in question.options]
    answers: dict[str, list[Any]] = {
        "one": options,
        "several": [list(c) for n in range(1, 5) for c in itertools.combinations(options, n)],
        "order": [list(p) for p in itertools.permutations(item.text for item in question.items)],
        "match": [
            dict(zip(RIGHT["jobs"], p, strict=True)) for p in itertools.product(RIGHT["jobs"].values(), repeat=3)
        ],
    }
    for answer in answers[question.kind]:
        there = page.evaluate("answer => modules[0].grade(models[0].get('questions')[0], answer)", answer)
        here = grade(question, answer)
        assert there["right"] == here.right
        assert there["share"] == pytest.approx(here.share)
        assert there["marks"] == [reason.right for reason in here.reasons]


def test_no_reason_is_shown_before_an_answer_and_all_after_it(page: Page) -> None:
    quiz = _quiz(page)
    for _ in QUESTIONS:
        assert [why for why in WHYS if why in quiz.inner_text()] == []
        quiz.get_by_role("button", name="Next").or_(quiz.get_by_role("button", name="See result")).click()
    _quiz(page, WRONG)
    quiz = page.locator(".course-quiz")
    for row, question in zip(range(4), QUESTIONS, strict=True):
        quiz.locator(".cq-row").nth(row).click()
        for part in (*question.options, *question.items, *question.pairs):
            expect(quiz.locator(".cq-why", has_text=part.why)).to_have_count(1)
        for _ in range(4 - row):
            quiz.locator(".cq-foot button").last.click()


def test_the_result_counts_and_offers_what_was_missed(page: Page) -> None:
    quiz = _quiz(page, {**WRONG, "port": RIGHT["port"]})
    expect(quiz.locator(".cq-score")).to_contain_text("1 of 4 right")
    expect(quiz.get_by_role("listitem").get_by_text("Not right yet")).to_have_count(3)
    quiz.get_by_role("button", name="Try 3 missed questions again").click()
    expect(quiz.locator(".cq-count")).to_have_text("Question 2 of 4")
    expect(quiz.get_by_role("checkbox", checked=True)).to_have_count(0)
    quiz.get_by_label("its image").check()
    quiz.get_by_label("a named volume").check()
    quiz.get_by_role("button", name="Check").click()
    expect(quiz.get_by_role("status")).to_contain_text("Right.")
    saved = page.evaluate("models[0].saved.at(-1)")
    assert saved["attempt"]["id"] == "survives"
    assert grade(SEVERAL, saved["answers"]["survives"]).right
    assert saved["answers"]["jobs"] == WRONG["jobs"]


def test_a_quiz_goes_on_where_it_was_left(page: Page) -> None:
    quiz = _quiz(page, {"port": RIGHT["port"], "survives": WRONG["survives"]})
    expect(quiz.locator(".cq-count")).to_have_text("Question 3 of 4")
    expect(quiz.locator(".cq-tally")).to_have_text("1 right of 2 answered")


def test_a_choice_not_yet_checked_is_kept_while_looking_elsewhere(page: Page) -> None:
    quiz = _quiz(page)
    quiz.get_by_role("radio").nth(2).check()
    quiz.get_by_role("button", name="Next").click()
    quiz.get_by_role("button", name="Previous").click()
    expect(quiz.get_by_role("radio").nth(2)).to_be_checked()
    assert page.evaluate("models[0].saved") == []


def test_texts_of_questions_are_never_markup(page: Page) -> None:
    evil = "<img src=x onerror='window.broken=1'> `<b>code</b>`"
    bad = [
        Question(**{**vars(ONE), "stem": evil, "options": (*ONE.options[:3], type(ONE.options[0])(evil, False, evil))}),
        Question(**{**vars(MATCH), "pairs": (*MATCH.pairs[:2], type(MATCH.pairs[0])(evil, evil + ".", evil))}),
    ]
    quiz = _quiz(page, {"port": evil}, bad)
    expect(quiz.locator("option", has_text="onerror")).to_have_count(3)
    expect(quiz.locator(".cq-stem")).to_be_visible()
    quiz.get_by_role("button", name="Previous").click()
    expect(quiz.locator(".cq-stem code")).to_have_text("<b>code</b>")
    assert quiz.locator("img, b").count() == 0
    assert page.evaluate("window.broken") is None


@pytest.mark.parametrize("answers", [{}, WRONG], ids=["open", "checked"])
def test_a_narrow_page_needs_no_sideways_scrolling(page: Page, answers: dict[str, Any]) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    quiz = _quiz(page, answers)
    for n in range(5):
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, f"at place {n}"
        if n < 4:
            quiz.locator(".cq-foot button").nth(0 if answers else 2).click()


def test_every_place_of_the_focus_keeps_its_keys(page: Page) -> None:
    """Whatever can have the focus says that JupyterLab's shortcuts are not for it."""
    for answers in ({}, WRONG):
        quiz = _quiz(page, answers)
        for n in range(5):
            page.evaluate("n => document.querySelectorAll('.cq-row')[n]?.click()", n)
            open_ones = quiz.locator(
                ":is(a, button, input, select, summary, [tabindex]):not([data-lm-suppress-shortcuts])"
            )
            assert open_ones.count() == 0
            button = quiz.locator(".cq-foot button:visible").last
            button.click()
