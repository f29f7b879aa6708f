"""Wrong states as the solution with a piece replaced: what fits, what does not, and what an author is told."""

from pathlib import Path

import pytest
import yaml

from labs.kit import mistakes
from labs.kit.mistakes import Edit, edited

SOLUTION = 'client = connect()\nclient.run("web", port=80)\nclient.stop("web")\n'
ENTRY = {"id": "no_port", "why": "The port is left out.", "edits": [{"find": ", port=80", "put": ""}]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "solution.py").write_text(SOLUTION)
    return tmp_path


def write(home: Path, *entries: dict) -> None:
    (home / "wrong.yaml").write_text(yaml.safe_dump({"mistakes": list(entries)}))


def test_a_piece_is_replaced_and_the_rest_stays(home: Path) -> None:
    write(home, {**ENTRY, "edits": [*ENTRY["edits"], {"find": "client.stop(", "put": "client.kill("}]})
    (mistake,) = mistakes.load(home)
    assert mistake.code() == 'client = connect()\nclient.run("web")\nclient.kill("web")\n'
    assert not list(mistakes.faults(home))


def test_a_file_that_is_no_yaml_is_named_with_its_line(home: Path) -> None:
    (home / "wrong.yaml").write_text('mistakes:\n  - id: a\n    why: labels={"course": "x"}, y: z\n')
    with pytest.raises(ValueError, match=r"wrong\.yaml is no valid YAML in line 3"):
        mistakes.load(home)


def test_edits_do_not_see_what_others_put() -> None:
    assert edited("a b", (Edit("a", "b"), Edit("b", "a"))) == "b a"


def test_scripts_of_their_own_stand_beside_them_and_a_variant_has_the_same_answer(home: Path) -> None:
    write(home, {**ENTRY, "id": "not_running__stopped"})
    (home / "wrong").mkdir()
    (home / "wrong" / "not_running.py").write_text("pass\n")
    found = mistakes.load(home)
    assert [(mistake.id, mistake.answer) for mistake in found] == [
        ("not_running", "not_running"),
        ("not_running__stopped", "not_running"),
    ]
    assert found[0].code() == "pass\n"
    assert not list(mistakes.faults(home))


def test_a_changed_solution_is_told_with_the_place_and_the_nearest_line(home: Path) -> None:
    write(home, {**ENTRY, "edits": [{"find": 'client.run("web", port=8080)', "put": ""}]})
    (mistake,) = mistakes.load(home)
    with pytest.raises(ValueError, match="occurs there 0 times") as told:
        mistake.code()
    for words in (
        str(home / "wrong.yaml"),
        "'no_port'",
        "The nearest line is 'client.run(\"web\", port=80)'",
        "`find`",
    ):
        assert words in str(told.value)
    assert [fault for fault in mistakes.faults(home) if "no_port" in fault and "0 times" in fault]


FAULTS = {
    "more than once": ([{**ENTRY, "edits": [{"find": "client.", "put": ""}]}], "occurs there 2 times"),
    "overlapping": (
        [{**ENTRY, "edits": [{"find": "run(", "put": "r("}, {"find": ".run", "put": ".r"}]}],
        "overlaps",
    ),
    "no Python": ([{**ENTRY, "edits": [{"find": "port=80)", "put": ""}]}], "never closed"),
    "an id twice": ([ENTRY, ENTRY], "2 wrong states have the id 'no_port'"),
    "an id that no file could have": ([{**ENTRY, "id": "No port"}], "$.mistakes[0].id"),
    "no sentence": ([{**ENTRY, "why": "port"}], "$.mistakes[0].why"),
    "nothing replaced": ([{**ENTRY, "edits": []}], "$.mistakes[0].edits"),
    "no text to find": ([{**ENTRY, "edits": [{"find": "", "put": "x"}]}], "$.mistakes[0].edits[0].find"),
    "a word misspelt": ([{**ENTRY, "edit": []}], "'edit' was unexpected"),
    "no entry": ([], "$.mistakes"),
}


@pytest.mark.parametrize(("entries", "words"), FAULTS.values(), ids=FAULTS)
def test_faults(home: Path, entries: list[dict], words: str) -> None:
    write(home, *entries)
    assert [fault for fault in mistakes.faults(home) if words in fault], list(mistakes.faults(home))


def test_a_script_of_the_same_id_is_one_too_many(home: Path) -> None:
    write(home, ENTRY)
    (home / "wrong").mkdir()
    (home / "wrong" / "no_port.py").write_text("pass\n")
    assert list(mistakes.faults(home)) == ["2 wrong states have the id 'no_port'"]
