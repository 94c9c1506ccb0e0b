from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from backend.config import Endpoint, Secret
from backend.database import create_engine, session_factory
from backend.models import Base, Instrument, InstrumentKind, Order, Side, Tick, Trade

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
TABLES = Base.metadata.sorted_tables
COLUMNS = [column for table in TABLES for column in table.columns]


def columns_of(kind: type[sa.types.TypeEngine[object]]) -> set[str]:
    return {f"{column.table.name}.{column.name}" for column in COLUMNS if type(column.type) is kind}


def test_the_first_version_has_four_tables() -> None:
    assert {table.name for table in TABLES} == {"instruments", "orders", "ticks", "trades"}


def test_every_instant_knows_its_time_zone() -> None:
    instants = [column.type for column in COLUMNS if isinstance(column.type, sa.DateTime)]

    assert len(instants) == 4
    assert all(instant.timezone for instant in instants)


def test_money_is_exact_and_market_data_is_not() -> None:
    assert columns_of(sa.Numeric) == {
        "instruments.tick_size",
        "orders.quantity",
        "orders.price",
        "trades.price",
        "trades.quantity",
        "trades.fee",
    }
    assert columns_of(sa.Double) == {"ticks.bid", "ticks.ask", "ticks.last", "ticks.volume"}


def test_rows_refer_to_what_they_are_about() -> None:
    references = {
        (key.parent.table.name, key.target_fullname)
        for table in TABLES
        for key in table.foreign_keys
    }

    assert references == {
        ("ticks", "instruments.id"),
        ("orders", "instruments.id"),
        ("trades", "instruments.id"),
        ("trades", "orders.id"),
    }


def test_a_tick_is_known_by_instrument_instant_and_sequence() -> None:
    key = sa.inspect(Tick).primary_key

    assert [column.name for column in key] == ["instrument_id", "ts", "sequence"]


@pytest.mark.parametrize("model", [Instrument, Tick, Order, Trade])
def test_every_constraint_and_index_has_a_name_of_its_own(model: type[Base]) -> None:
    table = Base.metadata.tables[model.__tablename__]

    names = [constraint.name for constraint in table.constraints]
    names += [index.name for index in table.indexes]

    assert all(names)
    assert len(names) == len(set(names))


def test_words_are_stored_as_text_that_is_checked() -> None:
    ddl = str(CreateTable(Base.metadata.tables["orders"]).compile(dialect=DIALECT))

    assert "side VARCHAR(16) NOT NULL" in ddl
    assert "CONSTRAINT ck_orders_side CHECK (side IN ('buy', 'sell'))" in ddl


def test_words_are_the_members_values() -> None:
    kind = Instrument.__table__.c.kind.type
    bind = kind.bind_processor(DIALECT)

    assert bind is not None
    assert bind(InstrumentKind.CRYPTO) == "crypto"
    assert Side("sell") is Side.SELL


def test_the_engine_prepares_no_statements_and_hides_the_password() -> None:
    endpoint = Endpoint("local", "app", "127.0.0.1", 5432, "trading", "app", Secret("s3:cr/et@"))

    engine = create_engine(endpoint)
    _, options = engine.dialect.create_connect_args(engine.url)

    assert options["password"] == "s3:cr/et@"
    assert options["connect_timeout"] == "15"
    assert "s3:cr" not in repr(engine)
    assert session_factory(engine).kw["expire_on_commit"] is False
