"""What hosting platforms put into every database that they hand out, beside the customer's own."""

from __future__ import annotations

# By the role that shows that a server is theirs. Supabase's as its command line leaves them out of
# dumps, those of extensions that keep tables of their own among them.
MANAGED_SCHEMAS: dict[str, frozenset[str]] = {
    "supabase_admin": frozenset(
        {
            "_analytics",
            "_realtime",
            "_supavisor",
            "auth",
            "cron",
            "dbdev",
            "etl",
            "extensions",
            "graphql",
            "graphql_public",
            "net",
            "pgbouncer",
            "pgmq",
            "pgsodium",
            "pgsodium_masks",
            "pgtle",
            "realtime",
            "repack",
            "storage",
            "supabase_functions",
            "supabase_migrations",
            "tiger",
            "tiger_data",
            "topology",
            "vault",
        }
    ),
    "neon_superuser": frozenset({"neon", "neon_auth"}),
}
ALL_MANAGED = frozenset[str]().union(*MANAGED_SCHEMAS.values())
