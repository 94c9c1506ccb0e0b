-- Of the named collations and locales, those that the server has. One locale has many spellings:
-- en_US.UTF-8 is en_US.utf8.
SELECT DISTINCT w.name
FROM pg_catalog.unnest(%s::pg_catalog.text[]) w (name)
JOIN pg_catalog.pg_collation c ON w.name = c.collname
  OR pg_catalog.lower(pg_catalog.replace(w.name, '-', '')) IN (
    pg_catalog.lower(pg_catalog.replace(c.collcollate, '-', '')),
    pg_catalog.lower(pg_catalog.replace(pg_catalog.to_jsonb(c) ->> 'colllocale', '-', '')))
WHERE c.collnamespace = 'pg_catalog'::pg_catalog.regnamespace
ORDER BY 1
