"""Money at the edges: Decimal with four significant digits, never a float in words or status."""

from decimal import ROUND_HALF_EVEN, Decimal

SIGNIFICANT_DIGITS = 4
_SMALLEST = Decimal("0.000000001")


def money(amount: float | Decimal) -> Decimal:
    """Round to four significant digits, and never finer than 1e-9 (the API's limit).

    Raises ValueError for an amount that is not finite: such a number is a bug, not a price.
    """
    exact = amount if isinstance(amount, Decimal) else Decimal(repr(float(amount)))
    if not exact.is_finite():
        raise ValueError(f"money must be finite, not {amount}")
    if abs(exact) < _SMALLEST / 2:
        return Decimal(0)
    quantum = Decimal(1).scaleb(exact.adjusted() - SIGNIFICANT_DIGITS + 1)
    rounded = exact.quantize(max(quantum, _SMALLEST), rounding=ROUND_HALF_EVEN)
    # 9999.6 rounds up to a number with one digit more: write it without an exponent.
    return rounded.quantize(Decimal(1)) if rounded.as_tuple().exponent > 0 else rounded  # type: ignore[operator]


def money_text(amount: float | Decimal) -> str:
    """Write the amount as the API's money string, for example "1.234"."""
    return f"{money(amount):f}"


def with_currency(amount: float | Decimal, currency: str) -> str:
    """Write the amount for people, for example "1.234 USD"."""
    return f"{money_text(amount)} {currency}"
