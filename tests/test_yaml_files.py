"""Parameter files are read as DVC's own reader, ruamel.yaml, reads them: by value and by type."""

from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml

from pipeline import yaml_files

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "params.yaml", *sorted(ROOT.glob("benchmarks/*.yaml")), *sorted(ROOT.glob("benchmarks/*/*.yaml"))]
WORDS = [
    "1", "-1", "+1", "0", "007", "0o17", "0x1F", "0b101", "1_000", "12e4", "1e-4", "1E-4", "1.5e3", "1.", ".5", "-.5",
    "+.5", "1e400", ".inf", "-.Inf", ".NAN", "1.5", "1_0.5", "1:30", "1:30:15", "yes", "no", "on", "off", "y", "n",
    "true", "True", "TRUE", "false", "null", "Null", "~", "''", "'1'", '"1e4"', "'no'", "2024-01-01", "a", "b:c",
    "1a", ".a", "0.1", "1e3", "3e-05", "-0", "0x", "0b2", "1__0", "--1", "[]", "{}", "[1,2]", "{a:1}",
]  # fmt: skip


def test_every_file_of_the_project_has_the_values_of_dvcs_reader() -> None:
    for path in FILES:
        assert kinds(yaml_files.read(path)) == kinds(plain(path.read_text())), path


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_what_it_is_for_dvc(word: str) -> None:
    text = f"a: {word}\n"
    assert kinds(yaml_files.parsed(text)) == kinds(plain(text))


def test_anchors_aliases_and_merges_are_written_out_as_by_dvcs_reader() -> None:
    text = "a: &x {b: 1, c: 2}\nd: *x\ne: {<<: *x, c: 3}\nf: {c: 4, <<: [*x, {g: 5}]}\n"
    assert yaml_files.parsed(text) == plain(text) == {
        "a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2}, "e": {"b": 1, "c": 3}, "f": {"b": 1, "c": 4, "g": 5},
    }  # fmt: skip


def plain(text: str) -> Any:
    return ruamel.yaml.YAML(typ="safe", pure=True).load(text)


def kinds(value: Any) -> Any:
    """The value with the type of each part, but that 1e4 is a whole number here, as people mean it."""
    if isinstance(value, dict):
        return {name: kinds(each) for name, each in value.items()}
    if isinstance(value, list):
        return [kinds(each) for each in value]
    if type(value) is int or (isinstance(value, float) and value.is_integer()):
        return ("number", repr(float(value)))
    return (type(value).__name__, repr(value))
