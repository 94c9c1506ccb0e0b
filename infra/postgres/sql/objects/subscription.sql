-- Subscriptions by name alone: how they connect holds passwords.
SELECT pg_catalog.quote_ident(s.subname), pg_catalog.jsonb_build_object()
FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
WHERE d.datname = pg_catalog.current_database()
