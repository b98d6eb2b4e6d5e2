"""The one vocabulary holds every word that the code says, and says each to people."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from cloudflux import errors
from cloudflux.api.vocabulary import CONDITIONS, REASONS, ConditionType

SOURCE = Path(__file__).resolve().parents[3] / "operator" / "cloudflux"


def reasons_in_code() -> Iterator[tuple[str, str]]:
    """Yield every literal that is given as `reason`: an argument, a class attribute, a value."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            value: ast.expr | None = None
            if isinstance(node, ast.keyword) and node.arg == "reason":
                value = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                value = node.value if node.target.id == "reason" else None
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                value = node.value if node.targets[0].id == "reason" else None
            word = value.value if isinstance(value, ast.Constant) else None
            # sentences are reasons for people, not words of the vocabulary
            if isinstance(word, str) and re.fullmatch(r"[A-Z][A-Za-z]+", word):
                yield word, f"{path.relative_to(SOURCE)}:{node.lineno}"


def test_every_reason_in_the_code_is_in_the_vocabulary():
    found = list(reasons_in_code())
    assert len(found) > 20  # the search itself works
    unknown = {f"{reason} at {where}" for reason, where in found if reason not in REASONS}
    assert not unknown


def test_every_error_has_a_reason_of_the_vocabulary():
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    for kind in kinds:
        if issubclass(kind, errors.CloudFluxError):
            assert kind.reason in REASONS, kind


def test_every_condition_and_reason_says_what_it_means():
    assert set(CONDITIONS) == set(ConditionType)
    for name, info in REASONS.items():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name)
        assert info.meaning.endswith(".")
    assert all(info.meaning and info.kinds for info in CONDITIONS.values())
