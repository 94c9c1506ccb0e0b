-- Publications of tables by name; those of schemas are left out by whoever knows the version.
SELECT p.pubname FROM pg_catalog.pg_publication p WHERE NOT p.puballtables ORDER BY 1
