"""The environment is made by uv, and where uv can't, by pip with its own configuration."""

from pathlib import Path

import pytest

from cloudflux_dev import bootstrap


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Every command that making an environment would run; those named "fails" fail."""
    ran: list[list[str]] = []
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").touch()
    monkeypatch.setattr(bootstrap, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(bootstrap, "_works", lambda python: True)
    monkeypatch.setattr(bootstrap, "_link_sources", lambda python: None)
    monkeypatch.setattr(bootstrap, "_run", lambda command, quiet=False: ran.append(command) or True)
    return ran


def by(command: list[str]) -> str:
    return "uv" if command[0].endswith("/uv") else command[2]


def test_uv_installs_what_is_locked_with_hashes(commands: list[list[str]]) -> None:
    bootstrap.make()
    assert [by(command) for command in commands] == ["pip", "uv", "compileall"]
    assert "--require-hashes" in commands[1]
    assert bootstrap.STAMP.exists()


def test_pip_does_it_where_uv_can_not(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], quiet: bool = False) -> bool:
        commands.append(command)
        return by(command) != "uv"

    monkeypatch.setattr(bootstrap, "_run", run)
    bootstrap.make()
    assert [by(command) for command in commands] == ["pip", "uv", "pip", "compileall"]
    assert "--require-hashes" in commands[2]


def test_what_could_not_be_installed_is_not_called_ready(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "_run", lambda command, quiet=False: False)
    with pytest.raises(bootstrap.SetupError, match="registry must be reachable"):
        bootstrap.make()
    assert not bootstrap.STAMP.exists()
