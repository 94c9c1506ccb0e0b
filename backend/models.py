"""The application's tables as typed models; Alembic compares the database with them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Prices and quantities that money depends on: exact, wide enough for any asset's smallest unit.
EXACT = sa.Numeric(28, 10)


class InstrumentKind(StrEnum):
    """What an instrument is."""

    EQUITY = "equity"
    FUTURE = "future"
    FOREX = "forex"
    CRYPTO = "crypto"


class Side(StrEnum):
    """The direction of an order."""

    BUY = "buy"
    SELL = "sell"


class OrderKind(StrEnum):
    """How an order meets the market."""

    MARKET = "market"
    LIMIT = "limit"


class OrderStatus(StrEnum):
    """Where an order stands in its life."""

    PENDING = "pending"
    OPEN = "open"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Base(DeclarativeBase):
    """The root of the models: one metadata, predictable constraint names, aware timestamps."""

    metadata = sa.MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads a plain class attribute
        datetime: sa.DateTime(timezone=True),
        Decimal: EXACT,
        # Text with a check: a new member is one constraint, where a native type is DDL of its own.
        Enum: sa.Enum(
            Enum,
            native_enum=False,
            create_constraint=True,
            length=16,
            values_callable=lambda kind: [member.value for member in kind],
        ),
    }


class Instrument(Base):
    """Something that is traded."""

    __tablename__ = "instruments"
    __table_args__ = (sa.CheckConstraint("tick_size > 0", name="tick_size"),)

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    symbol: Mapped[str] = mapped_column(sa.String(32), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    kind: Mapped[InstrumentKind]
    tick_size: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(sa.String(8))


class Tick(Base):
    """One quote or trade as it came from the market; a time series.

    `sequence` tells apart the ticks of one instrument at one instant.
    """

    __tablename__ = "ticks"
    __table_args__ = (sa.CheckConstraint("volume >= 0", name="volume"),)

    instrument_id: Mapped[int] = mapped_column(sa.ForeignKey("instruments.id"), primary_key=True)
    ts: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    sequence: Mapped[int] = mapped_column(
        sa.BigInteger, primary_key=True, server_default=sa.text("0")
    )
    bid: Mapped[float | None] = mapped_column(sa.Double)
    ask: Mapped[float | None] = mapped_column(sa.Double)
    last: Mapped[float | None] = mapped_column(sa.Double)
    volume: Mapped[float | None] = mapped_column(sa.Double)


class Order(Base):
    """An order as sent; `client_order_id` makes sending it again harmless."""

    __tablename__ = "orders"
    __table_args__ = (
        sa.CheckConstraint("quantity > 0", name="quantity"),
        sa.CheckConstraint("price > 0", name="price"),
        sa.CheckConstraint("kind = 'market' OR price IS NOT NULL", name="price_set"),
        sa.Index(None, "instrument_id", "created_at"),
        sa.Index(None, "status", "updated_at"),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    client_order_id: Mapped[str] = mapped_column(sa.String(64), unique=True)
    instrument_id: Mapped[int] = mapped_column(sa.ForeignKey("instruments.id"))
    side: Mapped[Side]
    kind: Mapped[OrderKind]
    status: Mapped[OrderStatus] = mapped_column(server_default=OrderStatus.PENDING.value)
    quantity: Mapped[Decimal]
    price: Mapped[Decimal | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    updated_at: Mapped[datetime] = mapped_column(
        server_default=sa.func.now(), onupdate=sa.func.now()
    )


class Trade(Base):
    """An execution that filled an order or a part of it."""

    __tablename__ = "trades"
    __table_args__ = (
        sa.CheckConstraint("price > 0", name="price"),
        sa.CheckConstraint("quantity > 0", name="quantity"),
        sa.Index(None, "instrument_id", "executed_at"),
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("orders.id"), index=True)
    instrument_id: Mapped[int] = mapped_column(sa.ForeignKey("instruments.id"))
    price: Mapped[Decimal]
    quantity: Mapped[Decimal]
    fee: Mapped[Decimal] = mapped_column(server_default=sa.text("0"))
    executed_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
