"""Sizes and amounts as people read them."""

import pytest

from cloudflux.api.display import display_amount, display_bytes


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "0.98 KiB"), (1536, "1.50 KiB"),
        (10 * 2**20, "10.0 MiB"), (123 * 2**30, "123 GiB"), (2**63 - 1, "8192 PiB"),
    ],
)  # fmt: skip
def test_bytes(size, text):
    assert display_bytes(size) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00 USD"), ("12.3456", "12.35 USD"), ("0.00123456", "0.001235 USD"),
        ("-0.5", "-0.5000 USD"), ("123456.789", "123456.79 USD"),
    ],
)  # fmt: skip
def test_amounts(amount, text):
    assert display_amount(amount, "USD") == text


def test_what_is_not_known_is_not_written():
    assert display_amount(None, "USD") is None
    assert display_amount("1", None) == "1.000"
