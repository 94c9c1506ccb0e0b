-- Objects with security labels.
SELECT DISTINCT i.type || ' ' || i.identity || ' (' || l.provider || ')'
FROM pg_catalog.pg_seclabel l
CROSS JOIN pg_catalog.pg_identify_object(l.classoid, l.objoid, l.objsubid) i
ORDER BY 1
