"""The application's way into its database."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from backend.config import Endpoint


def create_engine(endpoint: Endpoint) -> AsyncEngine:
    """Build an engine that works directly and through any pooler; it connects on first use."""
    return create_async_engine(
        endpoint.sqlalchemy_url(),
        # A pooler in transaction mode hands each transaction another session, where statements
        # prepared by the driver do not exist.
        connect_args={"prepare_threshold": None},
        pool_pre_ping=True,
    )


def session_factory(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Return what opens sessions; objects stay readable after a commit."""
    return async_sessionmaker(engine, expire_on_commit=False)
