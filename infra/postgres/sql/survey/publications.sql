-- Publications of named tables.
SELECT p.pubname FROM pg_catalog.pg_publication p WHERE NOT p.puballtables ORDER BY 1
