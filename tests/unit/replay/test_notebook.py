"""The notebook runs from top to bottom, and shows what its words promise."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[3] / "examples" / "replay.ipynb"


@pytest.mark.slow
def test_every_cell_runs_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "the notebook is kept without outputs"
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    told = capsys.readouterr().out
    assert "offline optimum" in told
    assert "<- decided" in told
    assert names["moves"]
    assert names["chart"].read_text(encoding="utf-8").startswith("<?xml")
