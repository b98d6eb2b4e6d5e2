"""How sizes and amounts are written for people."""

from decimal import ROUND_HALF_EVEN, Decimal

_BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SIGNIFICANT_DIGITS = 4


def counted(count: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun: 1 object, 2 objects."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def display_bytes(size_bytes: int) -> str:
    """Write a size with three significant digits: 999 B, 1.50 GiB."""
    value, unit = float(size_bytes), 0
    while value >= 999.5 and unit < len(_BINARY_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    if unit == 0:
        return f"{size_bytes} B"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_BINARY_UNITS[unit]}"


def display_amount(amount: str | None, currency: str | None) -> str | None:
    """Write an amount with four significant digits and at least cents: 0.001234 USD.

    Nothing known is written as nothing.
    """
    if amount is None:
        return None
    value = Decimal(amount)
    exponent = min(-2, value.adjusted() - _SIGNIFICANT_DIGITS + 1) if value else -2
    rounded = value.quantize(Decimal(1).scaleb(exponent), rounding=ROUND_HALF_EVEN)
    return f"{rounded:f} {currency}" if currency else f"{rounded:f}"
