-- That a platform keeps something in the database too: some of the rest is its affair then.
SELECT 'schemas', '{}'::pg_catalog.jsonb
WHERE EXISTS (SELECT FROM platform_schema)
