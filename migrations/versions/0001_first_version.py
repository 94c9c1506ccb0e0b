"""Instruments, ticks, orders and trades.

Revision ID: 0001
Revises:
"""

from datetime import date, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EXACT = sa.Numeric(28, 10)
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the first version of the application's tables."""
    create_instruments()
    create_ticks()
    create_orders()
    create_trades()


def downgrade() -> None:
    """Drop all of them."""
    op.drop_table("trades")
    op.drop_table("orders")
    op.drop_table("ticks")
    op.drop_table("instruments")


def create_instruments() -> None:
    """Create what is traded."""
    op.create_table(
        "instruments",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("tick_size", EXACT, nullable=False),
        sa.Column("currency", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments")),
        sa.UniqueConstraint("symbol", name=op.f("uq_instruments_symbol")),
        one_of("instruments", "instrumentkind", "kind", "equity", "future", "forex", "crypto"),
        sa.CheckConstraint(sa.column("tick_size") > 0, op.f("ck_instruments_tick_size")),
    )


def create_ticks() -> None:
    """Create the market's time series."""
    op.create_time_series_table(  # type: ignore[attr-defined]  # of migrations.operations
        "ticks",
        sa.Column("instrument_id", sa.BigInteger(), nullable=False),
        sa.Column("ts", INSTANT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bid", sa.Double()),
        sa.Column("ask", sa.Double()),
        sa.Column("last", sa.Double()),
        sa.Column("volume", sa.Double()),
        sa.PrimaryKeyConstraint("instrument_id", "ts", "sequence", name=op.f("pk_ticks")),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_ticks_instrument_id_instruments"),
        ),
        sa.CheckConstraint(sa.column("volume") >= 0, op.f("ck_ticks_volume")),
        time_column="ts",
        chunk_interval=timedelta(days=7),
        partition_start=date(2026, 1, 1),
        partition_months=24,
    )
    op.create_index(op.f("ix_ticks_ts"), "ticks", ["ts"])


def create_orders() -> None:
    """Create what the application sends."""
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("client_order_id", sa.String(64), nullable=False),
        sa.Column("instrument_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), server_default="pending", nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("price", EXACT),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("client_order_id", name=op.f("uq_orders_client_order_id")),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_orders_instrument_id_instruments"),
        ),
        one_of("orders", "side", "side", "buy", "sell"),
        one_of("orders", "orderkind", "kind", "market", "limit"),
        one_of(
            "orders",
            "orderstatus",
            "status",
            "pending",
            "open",
            "partial",
            "filled",
            "cancelled",
            "rejected",
        ),
        sa.CheckConstraint(sa.column("quantity") > 0, op.f("ck_orders_quantity")),
        sa.CheckConstraint(sa.column("price") > 0, op.f("ck_orders_price")),
        sa.CheckConstraint(
            sa.or_(sa.column("kind") == "market", sa.column("price").is_not(None)),
            op.f("ck_orders_price_set"),
        ),
    )
    op.create_index(
        op.f("ix_orders_instrument_id_created_at"), "orders", ["instrument_id", "created_at"]
    )
    op.create_index(op.f("ix_orders_status_updated_at"), "orders", ["status", "updated_at"])


def create_trades() -> None:
    """Create what the market executed."""
    op.create_table(
        "trades",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("instrument_id", sa.BigInteger(), nullable=False),
        sa.Column("price", EXACT, nullable=False),
        sa.Column("quantity", EXACT, nullable=False),
        sa.Column("fee", EXACT, server_default=sa.text("0"), nullable=False),
        sa.Column("executed_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trades")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_trades_order_id_orders")
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_trades_instrument_id_instruments"),
        ),
        sa.CheckConstraint(sa.column("price") > 0, op.f("ck_trades_price")),
        sa.CheckConstraint(sa.column("quantity") > 0, op.f("ck_trades_quantity")),
    )
    op.create_index(op.f("ix_trades_order_id"), "trades", ["order_id"])
    op.create_index(
        op.f("ix_trades_instrument_id_executed_at"), "trades", ["instrument_id", "executed_at"]
    )


def one_of(table: str, name: str, column: str, *values: str) -> sa.CheckConstraint:
    """Bind a column to a set of words."""
    return sa.CheckConstraint(sa.column(column).in_(values), op.f(f"ck_{table}_{name}"))
