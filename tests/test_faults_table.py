"""The page of faults says what the tests show."""

from faults import table


def test_the_page_is_up_to_date() -> None:
    """docs/faults.md is what the tests' own cases say: `make docs/faults.md` writes it."""
    assert table.PAGE.read_text(encoding="utf-8") == table.text()
