"""The decision aid and the costs of chapter 05: their data holds together, and they say what they should."""

import time
from datetime import date
from itertools import product

import pytest

from labs.containers_on_aws import chooser, cost


def every_answer() -> list[dict[str, str]]:
    """All combinations of options of the decision aid."""
    questions = chooser.rules()["questions"]
    options = product(*(question["options"] for question in questions))
    return [dict(zip((question["id"] for question in questions), chosen, strict=True)) for chosen in options]


def test_rules_name_what_there_is() -> None:
    rules = chooser.rules()
    options = {question["id"]: set(question["options"]) for question in rules["questions"]}
    for rule in rules["rules"]:
        assert rule["choose"] in rules["answers"]
        assert all(option in options[question] for question, option in rule["when"].items()), rule
    assert rules["rules"][-1]["when"] == {}
    assert chooser.reachable() == set(rules["answers"])


def test_every_rule_decides_somewhere() -> None:
    said = {chooser.advise(**given).because for given in every_answer()}
    assert said == {rule["because"] for rule in chooser.rules()["rules"]}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "Amazon ECS on Fargate"),
        ({"effort": "little"}, "Amazon ECS Express Mode"),
        ({"work": "function"}, "AWS Lambda with a container image"),
        ({"work": "function", "kubernetes": "yes"}, "Amazon EKS with pods on Fargate"),
        ({"interruption": "yes"}, "Amazon ECS on Fargate Spot"),
        ({"interruption": "yes", "kubernetes": "yes"}, "Amazon EKS Auto Mode"),
        ({"machines": "own", "interruption": "yes"}, "Amazon ECS on EC2 instances of your own"),
    ],
)
def test_advice(given: dict[str, str], name: str) -> None:
    assert chooser.advise(**given).name == name
    assert f"Take: {name}" in chooser.as_text(**given)


def test_a_turn_leads_where_it_says() -> None:
    advice = chooser.advise()
    for question in chooser.rules()["questions"]:
        for option, words in question["options"].items():
            told = [name for ask, text, name in advice.turns if (ask, text) == (question["ask"], words)]
            assert told in ([], [chooser.advise(**{question["id"]: option}).name])
            assert bool(told) == (chooser.advise(**{question["id"]: option}).name != advice.name)


def test_unknown_answers_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="no question 'colour'"):
        chooser.advise(colour="blue")
    with pytest.raises(ValueError, match="no option 'maybe'"):
        chooser.advise(kubernetes="maybe")


def test_prices_are_dated_and_sourced() -> None:
    for price in cost.prices().values():
        assert price["usd"] > 0
        assert date.fromisoformat(price["as_of"]) <= date(2026, 11, 23)
        assert price["source"].startswith("https://")


def test_costs_of_a_month() -> None:
    assert cost.fargate(0.25, 0.5, 1) == pytest.approx(9.01, abs=0.01)
    assert cost.fargate(1, 2, 1) == pytest.approx(36.04, abs=0.01)
    assert cost.app_runner(1, 2, 1, 0) == pytest.approx(10.22, abs=0.01)
    assert cost.app_runner(1, 2, 1, 24) == pytest.approx(0.078 * cost.HOURS)
    assert [cost.instances(0.25, 0.5, copies, "m5.large") for copies in (1, 8, 9)] == [1, 1, 2]
    assert cost.instances(2, 4, 1, "t3.medium") is None


def test_the_plot_follows_its_controls_and_is_quick() -> None:
    box = cost.show()
    size, copies, machine, _, picture, words = box.children
    before = picture.value, words.value
    start = time.perf_counter()
    copies.value = 9
    assert time.perf_counter() - start < 0.1
    assert picture.value != before[0]
    assert "2 × m5.large" in words.value
    size.value, machine.value = "2 vCPU, 4 GB", "t3.medium"
    assert "does not fit" in words.value
    assert "t3.medium" not in picture.value


def test_the_widget_follows_its_buttons_and_is_quick() -> None:
    widget = chooser.show()
    assert widget.advice["name"] == "Amazon ECS on Fargate"
    start = time.perf_counter()
    widget.given = {**widget.given, "kubernetes": "yes"}
    assert time.perf_counter() - start < 0.1
    assert widget.advice["name"] == "Amazon EKS with pods on Fargate"
