"""Recorded conversations (docs/protocol/vectors/*-scenarios.json): what the runners for TCP and UDP share.

README, section 10, of docs/protocol describes the format. Standard library only.
"""

import json
import pathlib
import re

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "docs" / "protocol" / "vectors"
ANY_VALUE = "$_"


def load(name):
    """Return all scenarios of a file."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def is_variable(value):
    """Return True if this string stands for a value that the program under test chooses."""
    return isinstance(value, str) and value.startswith("$")


class Bindings(dict):
    """Variables of a run and the values that they are bound to."""

    def fill(self, value):
        """Return `value` with each variable replaced by its value."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return self[value] if is_variable(value) else value

    def matches(self, expected, actual):
        """Return True if `actual` is what `expected` describes, and bind the variables in it."""
        trial = Bindings(self)
        found = trial.compare(expected, actual)
        if found:
            self.update(trial)
        return found

    def compare(self, expected, actual):
        """Compare like `matches`, but perhaps leave bindings after a mismatch."""
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
        """Bind a variable, or compare it with its value.

        Numbers of one series ($m1, $m2) have to ascend like the numbers in their names.
        """
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
