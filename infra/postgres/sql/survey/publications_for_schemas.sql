-- Publications of whatever tables a schema holds; from version 15 on.
SELECT DISTINCT p.pubname
FROM pg_catalog.pg_publication_namespace s
JOIN pg_catalog.pg_publication p ON p.oid = s.pnpubid
ORDER BY 1
