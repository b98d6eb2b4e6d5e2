"""The chart's README tells of every value, and of what its comments say."""

import yaml

from cloudflux_dev.chart import CHART, values_page


def leaves(node: object, path: tuple[str, ...] = ()) -> set[str]:
    if isinstance(node, dict) and path[-1:] == ("resources",):
        return {".".join((*path, key)) for key in node}
    if isinstance(node, dict) and node and path[-1:] != ("maxResources",):  # one line of the file
        return {leaf for key, child in node.items() for leaf in leaves(child, (*path, key))}
    return {".".join(path)}


def test_every_value_has_a_row_and_a_meaning() -> None:
    text = (CHART / "values.yaml").read_text()
    rows = [line for line in values_page(text).splitlines() if line.startswith("| `")]
    told = {row.split("`")[1] for row in rows}
    assert told == leaves(yaml.safe_load(text))
    assert [row for row in rows if row.rstrip().endswith("|  |")] == []


def test_comments_above_and_beside_a_value_are_its_meaning() -> None:
    page = values_page("a:\n  # first\n  # second\n  b: 1  # third\nc: []\n")
    assert "| `a.b` | `1` | third first second |" in page
    assert "| `c` | `[]` |  |" in page
