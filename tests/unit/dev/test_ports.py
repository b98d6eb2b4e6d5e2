"""Ports for servers of tests and of the demo."""

import socket
from pathlib import Path

import pytest

from cloudflux_dev import ports


def test_ports_differ_can_be_bound_and_are_none_that_a_connection_gets_by_chance(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kernel = tmp_path / "range"
    kernel.write_text("32768\t60999\n")
    monkeypatch.setattr(ports, "RANGE_FILE", kernel)
    found = ports.free_ports(20)
    assert len(set(found)) == 20
    assert all(ports.LOWEST <= port < 32768 for port in found)
    with socket.socket() as server:
        server.bind(("127.0.0.1", found[0]))


def test_a_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel = tmp_path / "range"
    monkeypatch.setattr(ports, "RANGE_FILE", kernel)
    taken = ports.free_port()
    monkeypatch.setattr(ports, "WIDTH", 2)
    kernel.write_text(f"{taken + 1} 60999\n")
    with socket.socket() as server:
        server.bind(("127.0.0.1", taken))
        assert {ports.free_port() for _ in range(20)} == {taken - 1}


def test_where_the_kernel_tells_no_range_any_free_port_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ports, "RANGE_FILE", tmp_path / "none")
    assert ports.free_port() > 1024
