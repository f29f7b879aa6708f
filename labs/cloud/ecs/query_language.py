"""The cluster query language: which container instances an expression means.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

MOST_CHARACTERS = 2000

Facts = Mapping[str, Any]  # subjects to a text, a number, a set of texts, or None
Predicate = Callable[[Facts], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<sign>\(|\)|\[|\]|,|==|!=|>=|<=|=~|!~|&&|\|\||>|<|!)|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\""
    r"|(?P<word>[^\s()\[\],'\"=!<>&|]+))"
)
_WORDS = {
    "equals": "==", "not_equals": "!=", "greater_than": ">", "greater_than_equal": ">=", "less_than": "<",
    "less_than_equal": "<=", "matches": "=~", "not_matches": "!~", "in": "in", "not_in": "!in", "exists": "exists",
    "not_exists": "!exists",
}  # fmt: skip
_COMPARES = ("==", "!=", ">", ">=", "<", "<=", "=~", "!~")
_PLAIN = ("agentConnected", "agentVersion", "ec2InstanceId", "registeredAt", "runningTasksCount", "task:group")


class QueryError(ValueError):
    """The expression cannot be read."""


def parse(text: str) -> Predicate:
    """An expression as a test of an instance.

    Args:
        text: e.g. `attribute:ecs.instance-type =~ t3.* and not(task:group == database)`.

    Returns:
        A function of an instance's facts: `attribute:<name>` and the other subjects of the language; `task:group` is
        the set of the groups of its tasks.

    Raises:
        QueryError: it is no expression.
    """
    if len(text) > MOST_CHARACTERS:
        raise QueryError(f"The expression is longer than {MOST_CHARACTERS} characters.")
    reader = _Reader(_tokens(text))
    found = reader.either()
    if reader.peek() is not None:
        raise QueryError(f"Unexpected '{reader.peek()}'.")
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match:
            raise QueryError(f"'{text[place : place + 10]}' cannot be read.")
        kind = match.lastgroup or ""
        found.append(("sign" if kind == "sign" else "word" if kind == "word" else "quoted", match[kind]))
        place = match.end()
    return found


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._place = 0

    def peek(self) -> str | None:
        """The next token, if it is no quoted text."""
        if self._place >= len(self._tokens):
            return None
        kind, text = self._tokens[self._place]
        return f"'{text}'" if kind == "quoted" else text

    def take(self, *wanted: str) -> bool:
        """Takes the next token if it is one of these."""
        if self.peek() in wanted:
            self._place += 1
            return True
        return False

    def either(self) -> Predicate:
        found = [self.both()]
        while self.take("or", "||"):
            found.append(self.both())
        return found[0] if len(found) == 1 else lambda facts: any(one(facts) for one in found)

    def both(self) -> Predicate:
        found = [self.one()]
        while self.take("and", "&&"):
            found.append(self.one())
        return found[0] if len(found) == 1 else lambda facts: all(one(facts) for one in found)

    def one(self) -> Predicate:
        if self.take("not", "!"):
            inner = self.one()
            return lambda facts: not inner(facts)
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise QueryError("A closing parenthesis is missing.")
            return inner
        return self.comparison()

    def comparison(self) -> Predicate:
        subject = self.text("a subject")
        if subject not in _PLAIN and not (subject.startswith("attribute:") and len(subject) > len("attribute:")):
            raise QueryError(f"There is no subject '{subject}'.")
        operator = self.operator()
        if operator in ("exists", "!exists"):
            return lambda facts: bool(subject in facts) == (operator == "exists")
        if operator in ("in", "!in"):
            wanted = self.texts()
            return lambda facts: _is_in(facts.get(subject), wanted) == (operator == "in")
        argument = self.text("an argument")
        if operator in ("=~", "!~"):
            try:
                pattern = re.compile(argument)
            except re.error as problem:
                raise QueryError(f"'{argument}' is no regular expression: {problem}.") from None
            return lambda facts: _matches(facts.get(subject), pattern) == (operator == "=~")
        return lambda facts: _compare(facts.get(subject), operator, argument)

    def operator(self) -> str:
        word = self.peek()
        if word is None:
            raise QueryError("An operator is missing.")
        self._place += 1
        if word == "!":
            if self.take("in"):
                return "!in"
            if self.take("exists"):
                return "!exists"
        found = _WORDS.get(word, word)
        if found not in (*_COMPARES, *_WORDS.values()):
            raise QueryError(f"There is no operator '{word}'.")
        return found

    def text(self, what: str) -> str:
        if self._place >= len(self._tokens) or self._tokens[self._place][0] == "sign":
            raise QueryError(f"{what.capitalize()} is missing.")
        self._place += 1
        return self._tokens[self._place - 1][1]

    def texts(self) -> list[str]:
        if not self.take("["):
            return [self.text("a list")]
        found = [self.text("an argument")]
        while self.take(","):
            found.append(self.text("an argument"))
        if not self.take("]"):
            raise QueryError("A closing bracket is missing.")
        return found


def _values(value: Any) -> set[str]:
    if isinstance(value, (set, frozenset, list)):
        return {str(one) for one in value}
    return set() if value is None else {str(value).lower() if isinstance(value, bool) else str(value)}


def _is_in(value: Any, wanted: list[str]) -> bool:
    return bool(_values(value) & set(wanted))


def _matches(value: Any, pattern: re.Pattern[str]) -> bool:
    return any(pattern.fullmatch(one) for one in _values(value))


def _compare(value: Any, operator: str, argument: str) -> bool:
    if operator in ("==", "!="):
        return (argument in _values(value)) == (operator == "==")
    for one in _values(value):
        left, right = _ordered(one), _ordered(argument)
        if {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator]:
            return True
    return False


def _ordered(text: str) -> list[tuple[int, float, str]]:
    """Texts in the order of the numbers in them: versions, counts, times."""
    return [(0, float(part), "") if part.isdigit() else (1, 0.0, part) for part in re.split(r"(\d+)", text) if part]
