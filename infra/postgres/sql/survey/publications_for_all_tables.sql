-- Publications of whatever tables there are.
SELECT p.pubname FROM pg_catalog.pg_publication p WHERE p.puballtables ORDER BY 1
