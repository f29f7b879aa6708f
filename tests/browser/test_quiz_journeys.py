"""The quiz by key presses: in JupyterLab, where no key may reach the cells, and on a page without a kernel."""

import itertools
import json
import time
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


def _said(page: Page, lab: Lab, count: int) -> list[Any]:
    """All that the kernel was told, once it is at least so many answers."""
    file = lab.folder / "said.jsonl"
    end = time.monotonic() + 10
    while len(lines := file.read_text().splitlines() if file.exists() else []) < count:
        assert time.monotonic() < end, f"{count} answers should be in the file, not {lines}"
        page.wait_for_timeout(50)  # between two looks
    return [json.loads(line) for line in lines]


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
    said = _said(page, lab, 5)
    assert [(name, right) for name, _, right in said] == [
        *(("port", False), ("port", True), ("survives", True), ("way", True), ("jobs", True)),
    ]
    assert said[-1][1] == RIGHT["jobs"]

    run_all(page)
    expect(page.locator(".cq-score")).to_contain_text("4 of 4 right")
    assert _said(page, lab, 5) == said


def test_an_answer_is_there_again_after_a_reload_and_another_run(lab: Lab, page: Page) -> None:
    (lab.folder / "said.jsonl").unlink(missing_ok=True)
    name = lab.write_notebook("reload.ipynb", CELLS)
    open_notebook(page, lab, name)
    run_all(page)
    quiz = page.locator(".course-quiz")
    quiz.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    _check(page, quiz)
    expect(quiz.get_by_role("status")).to_contain_text("Not right yet.")
    shown = quiz.locator(".cq-reason").all_inner_texts()
    said = _said(page, lab, 1)

    open_notebook(page, lab, name)
    run_all(page)
    expect(quiz.locator(".cq-count")).to_have_text("Question 2 of 4")
    expect(quiz.locator(".cq-tally")).to_have_text("0 right of 1 answered")
    _into(page, quiz, quiz.get_by_role("button", name="Previous"))
    page.keyboard.press("Enter")
    expect(quiz.get_by_role("status")).to_contain_text("Not right yet.")
    assert quiz.locator(".cq-reason").all_inner_texts() == shown
    assert _said(page, lab, 1) == said


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
    """Every look of the quiz: each kind open and checked, the result, a question that is tried again."""
    answers = {**WRONG, "survives": RIGHT["survives"]}
    cell = (
        "from labs.kit.quiz import quiz_widget\nfrom tests.browser.samples import QUESTIONS\n"
        f"quiz_widget(QUESTIONS, {SEED!r}, {answers!r}, print)"
    )
    open_notebook(page, lab, lab.write_notebook(f"themes-{theme}.ipynb", [cell]))
    set_theme(page, theme)
    run_all(page)
    quiz = page.locator(".course-quiz")
    expect(quiz.locator(".cq-score")).to_contain_text("1 of 4 right")
    assert audit(page, ".course-quiz") == []
    for _ in QUESTIONS:
        quiz.get_by_role("button", name="Previous").click()
        expect(quiz.locator(".cq-reason").first).to_be_visible()
        assert audit(page, ".course-quiz") == []
    for _ in QUESTIONS:
        quiz.get_by_role("button", name="Try again").click()
        assert audit(page, ".course-quiz") == []
        quiz.locator(".cq-foot button").last.click()


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


# What is left of 1280 pixels at 400 %, at 200 % and at 100 % zoom.
@pytest.mark.parametrize("width", [320, 640, 1280])
@pytest.mark.parametrize("answers", [{}, WRONG], ids=["open", "checked"])
def test_nothing_is_cut_off_and_nothing_scrolls_sideways(page: Page, answers: dict[str, Any], width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    quiz = _quiz(page, answers)
    for n in range(5):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"at place {n}"
        assert quiz.evaluate(BEYOND) == [], f"at place {n}"
        if n < 4:
            quiz.locator(".cq-foot button").nth(0 if answers else 2).click()


# What stands out of the card; the words for screen readers only are nowhere.
BEYOND = """card => {
    const { left, right } = card.getBoundingClientRect();
    return [...card.querySelectorAll('*:not(.cq-spoken)')]
        .filter((element) => !element.closest('.cq-spoken'))
        .filter((element) => {
            const box = element.getBoundingClientRect();
            return box.width && (box.left < left || box.right > right);
        })
        .map((element) => `${element.tagName} ${element.className} ${element.textContent.slice(0, 40)}`);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_fault_on_a_page_without_jupyter(page: Page, theme: str) -> None:
    for answers in ({}, {"port": WRONG["port"]}, WRONG):
        quiz = _quiz(page, answers, theme=theme)
        assert audit(page, ".course-quiz") == []
        quiz.get_by_role("button", name="Previous").evaluate("button => button.click()")
        assert audit(page, ".course-quiz") == []


def test_the_audit_finds_faint_text_and_nameless_buttons(page: Page) -> None:
    quiz = _quiz(page)
    page.add_style_tag(content=".cq-how { color: color-mix(in srgb, black 45%, white) !important }")
    quiz.get_by_role("button", name="Check").evaluate("button => { button.textContent = ''; }")
    assert [fault.split(":")[0] for fault in audit(page, ".course-quiz")] == ["button-name", "contrast 3.36"]


SPOKEN = {
    "port": ["Wrong, your choice: -p 80:8080. This publishes", "Right, not chosen: -p 8080:80. The host's port"],
    "survives": ["You chose 1 of 2 right options and 1 wrong.", "Right, not chosen: a named volume that it used."],
    "way": ["0 of 4 in their places. The list shows the right order.", "You had it at 4: build the image."],
    "jobs": ["1 of 3 pairs found. The list shows what belongs together.", "You chose: keeps images: Amazon ECS"],
}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.kind)
def test_what_was_wrong_is_spoken_with_what_is_right(page: Page, question: Question) -> None:
    quiz = _quiz(page, {question.id: WRONG[question.id]}, [question])
    quiz.get_by_role("button", name="Previous").press("Enter")
    for words in ("Not right yet.", *SPOKEN[question.id]):
        expect(quiz.get_by_role("status")).to_contain_text(words)


def test_nothing_moves_for_those_who_asked_for_less_motion(page: Page) -> None:
    quiz = _quiz(page, {"port": WRONG["port"]})
    moving = "card => [...card.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s')"
    assert quiz.evaluate(f"card => ({moving})(card).map((element) => element.className)") == []


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
