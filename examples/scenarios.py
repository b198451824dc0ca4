"""Recorded conversations (docs/protocol/vectors/*-scenarios.json): what the runners of both protocols share.
The format is in docs/protocol/README.md, section 10. Standard library only."""

import json
import pathlib
import re

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "docs" / "protocol" / "vectors"
ANY_VALUE = "$_"


def load(name):
    """All scenarios of a file."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def is_variable(value):
    """Does this string stand for a value that the program under test chooses?"""
    return isinstance(value, str) and value.startswith("$")


class Bindings(dict):
    """The variables of a run and what they are bound to."""

    def fill(self, value):
        """`value` with each variable replaced."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return self[value] if is_variable(value) else value

    def matches(self, expected, actual):
        """Is `actual` what `expected` describes? If so, the variables in it are bound."""
        trial = Bindings(self)
        found = trial.compare(expected, actual)
        if found:
            self.update(trial)
        return found

    def compare(self, expected, actual):
        """The same; may leave bindings behind after a mismatch."""
        if is_variable(expected):
            return expected == ANY_VALUE or self.bind(expected, actual)
        if isinstance(expected, dict) and "between" in expected:
            return expected["between"][0] <= actual <= expected["between"][1]
        if isinstance(expected, dict) and "contains" in expected:
            return all(any(self.matches(item, other) for other in actual) for item in expected["contains"])
        if isinstance(expected, dict) and isinstance(actual, dict):
            return all(key in actual and self.compare(item, actual[key]) for key, item in expected.items())
        if isinstance(expected, list) and isinstance(actual, list):
            return len(expected) == len(actual) and all(map(self.compare, expected, actual))
        if isinstance(actual, int) and isinstance(expected, str):
            expected = int(expected)  # above 2**53
        return expected == actual

    def bind(self, name, actual):
        """Bind a variable, or compare it. Of numbers of one series ($m1, $m2) the later ones are greater."""
        if name in self:
            return self[name] == actual
        series, number = re.fullmatch(r"(\$[a-z_]+?)(\d*)", name).groups()
        for other, bound in self.items():
            match = re.fullmatch(r"(\$[a-z_]+?)(\d+)", other)
            if match and match[1] == series and number and isinstance(actual, int):
                if (int(match[2]) < int(number)) != (bound < actual):
                    return False
        self[name] = actual
        return True
