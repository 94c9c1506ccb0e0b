from __future__ import annotations

import pytest

from infra.postgres.objects import unqualified


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (
            " SELECT orders.id,\n    orders.price\n   FROM trading.orders\n  WHERE orders.id > 3;",
            " SELECT id,\n    price\n   FROM trading.orders\n  WHERE id > 3;",
        ),
        ('SELECT "Odd ""Name""."."a.b" FROM "Odd ""Name"""."."', 'SELECT "a.b" FROM "."'),
        ("SELECT ünïcode.größe FROM ünïcode", "SELECT größe FROM ünïcode"),
        ("SELECT ((o.money).amount * 1.5) FROM o", "SELECT ((money).amount * 1.5) FROM o"),
    ],
)
def test_views_of_older_and_newer_servers_read_the_same(older: str, newer: str) -> None:
    assert unqualified(older) == unqualified(newer)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT 'a.b' FROM t", "SELECT 'b' FROM t"),
        ("SELECT 'it''s a.b' FROM t", "SELECT 'it''s b' FROM t"),
        ('SELECT "a.b" FROM t', "SELECT b FROM t"),
        ("SELECT t.a FROM t", "SELECT t.b FROM t"),
        ("SELECT 1.5", "SELECT 5"),
    ],
)
def test_what_differs_otherwise_goes_on_differing(one: str, other: str) -> None:
    assert unqualified(one) != unqualified(other)
