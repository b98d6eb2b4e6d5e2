from decimal import Decimal

import pytest

from cloudflux.brain.money import money, money_text, with_currency


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (1.2345, "1.234"),
        (0.023, "0.02300"),
        (9999.6, "10000"),
        (123456.78, "123500"),
        (-12.3456, "-12.35"),
        (0.000001234567, "0.000001235"),
        (4e-10, "0"),
        (Decimal("41.5"), "41.50"),
    ],
)
def test_four_significant_digits_without_an_exponent(amount, text):
    assert money_text(amount) == text


def test_the_currency_follows_the_amount():
    assert with_currency(1.2345, "USD") == "1.234 USD"


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(amount):
    with pytest.raises(ValueError, match="finite"):
        money(amount)
