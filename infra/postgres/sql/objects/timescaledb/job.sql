-- Jobs but TimescaleDB's own. What not every version knows is read through `later`.
SELECT 'job ' || j.job_id || ' (' || pg_catalog.quote_ident(j.proc_schema) || '.'
    || pg_catalog.quote_ident(j.proc_name) || ')',
  pg_catalog.jsonb_build_object(
    'proc', pg_catalog.quote_ident(j.proc_schema) || '.' || pg_catalog.quote_ident(j.proc_name),
    'owner', pg_catalog.pg_get_userbyid(j.owner),
    'schedule_interval', j.schedule_interval,
    'max_runtime', j.max_runtime,
    'max_retries', j.max_retries,
    'retry_period', j.retry_period,
    'scheduled', j.scheduled,
    'fixed_schedule', later.fields -> 'fixed_schedule',
    'initial_start', later.fields -> 'initial_start',
    'config', j.config,
    'hypertable', pg_catalog.quote_ident(j.hypertable_schema) || '.'
      || pg_catalog.quote_ident(j.hypertable_name)
  )
FROM timescaledb_information.jobs j
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(j) AS fields OFFSET 0) later
WHERE j.job_id >= 1000
