"""What a hosting platform keeps in the same database as its customer: schemas and roles.

Supabase has schemas of its own in every database, which belong to roles of its own and are neither
read nor written here (decision 18). Which ones there are is asked of the database itself when a
connection is opened, and the session's setting `slipway.left_alone` tells the queries.
"""

from __future__ import annotations

import json

from backend.platform import MANAGED_SCHEMAS

# As the query that recognizes a platform takes them.
KNOWN = json.dumps({role: sorted(schemas) for role, schemas in MANAGED_SCHEMAS.items()})
# Those that the Data API logs in as.
API_ROLES = frozenset({"anon", "authenticated"})
_OTHER_ROLES = frozenset(
    {"authenticator", "dashboard_user", "pgbouncer", "postgres", "service_role"}
)
_PREFIX = "supabase_"


def is_role(name: str) -> bool:
    """Tell whether a role is one that the platform has for itself or for its Data API."""
    return name in API_ROLES | _OTHER_ROLES or name.startswith(_PREFIX)
