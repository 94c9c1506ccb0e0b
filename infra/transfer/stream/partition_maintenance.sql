-- Keeps range partitions ahead of the rows, in a database without TimescaleDB: where the source
-- made a chunk for the rows of a new day by itself, a native partition has to be there before them.
-- Nothing here moves, changes or deletes a row of the tables. PostgreSQL 12 and later; runs as the
-- owner of the tables; may be run again.

CREATE SCHEMA IF NOT EXISTS slipway_partitions;
COMMENT ON SCHEMA slipway_partitions IS
  'Made by Slipway for the hypertables that became partitioned tables: have cron or pg_cron run '
  '"SELECT slipway_partitions.extend()" daily, so that tomorrow''s rows have a partition; dropping '
  'this schema is safe, it takes no table, partition or row with it.';

CREATE TABLE IF NOT EXISTS slipway_partitions.managed (
  parent pg_catalog.regclass PRIMARY KEY,
  "column" pg_catalog.name NOT NULL,
  width interval CHECK (width > interval '0' AND pg_catalog.isfinite(width)),
  step bigint CHECK (step > 0),
  CHECK (pg_catalog.num_nonnulls(width, step) = 1)
);
COMMENT ON TABLE slipway_partitions.managed IS
  'The tables that slipway_partitions.extend() makes partitions for, each as wide as said here in '
  'time (width) or numbers (step); delete a row to leave its table alone.';

CREATE OR REPLACE FUNCTION slipway_partitions.partition_key(
  parent pg_catalog.regclass,
  OUT key_column pg_catalog.name, OUT key_type pg_catalog.text, OUT base_type pg_catalog.regtype
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid
  INTO key_column, key_type, base_type
  FROM pg_partitioned_table p
  JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
  WHERE p.partrelid = parent AND p.partstrat = 'r' AND p.partnatts = 1;
  IF NOT FOUND THEN
    RAISE wrong_object_type USING
      MESSAGE = format('%s is not a table partitioned by range of one column', parent);
  END IF;
  -- Under a domain lies another type, or another domain.
  WHILE (SELECT t.typtype = 'd' FROM pg_type t WHERE t.oid = base_type) LOOP
    base_type := (SELECT t.typbasetype FROM pg_type t WHERE t.oid = base_type);
  END LOOP;
  IF base_type NOT IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype,
                       'smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) THEN
    RAISE wrong_object_type USING
      MESSAGE = format('%s is partitioned by a column of type %s', parent, key_type),
      HINT = 'Partitions are made for columns of time, date and integer types.';
  END IF;
END
$$;
COMMENT ON FUNCTION slipway_partitions.partition_key IS
  'Made by Slipway: the column that a table is partitioned by, its type, and the built-in type '
  'under that.';

CREATE OR REPLACE FUNCTION slipway_partitions.ranges(parent pg_catalog.regclass)
RETURNS TABLE (
  partition pg_catalog.regclass, lower pg_catalog.text, upper pg_catalog.text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET DateStyle = 'ISO, YMD'
AS $$
BEGIN
  RETURN QUERY
  SELECT c.oid::regclass,
    nullif(btrim(bound[1], ''''), 'MINVALUE'), nullif(btrim(bound[2], ''''), 'MAXVALUE')
  FROM pg_inherits i
  JOIN pg_class c ON c.oid = i.inhrelid
  CROSS JOIN regexp_match(
    pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM [(](.*)[)] TO [(](.*)[)]$') AS bound
  WHERE i.inhparent = ranges.parent AND bound IS NOT NULL;
END
$$;
COMMENT ON FUNCTION slipway_partitions.ranges IS
  'Made by Slipway: the range partitions of a table with their bounds in UTC, NULL for MINVALUE '
  'and MAXVALUE.';

CREATE OR REPLACE FUNCTION slipway_partitions.make(
  parent pg_catalog.regclass, suffix pg_catalog.text, bound pg_catalog.text
)
RETURNS pg_catalog.regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET DateStyle = 'ISO, YMD'
AS $$
DECLARE
  room CONSTANT integer := current_setting('max_identifier_length');
  hash CONSTANT text := left(encode(
    sha256(convert_to(format('%s %s', parent, bound), getdatabaseencoding())), 'hex'), 16);
  family record;
  stem text;
  candidate text;
  made regclass;
BEGIN
  SELECT c.relname, c.relnamespace, n.nspname, c.relrowsecurity,
    pg_get_userbyid(c.relowner) AS owner
  INTO STRICT family
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = parent;
  -- Names are limited in bytes, and no character may be cut in two.
  stem := family.relname;
  WHILE octet_length(stem) > room - length('_p' || hash) LOOP
    stem := left(stem, -1);
  END LOOP;

  FOREACH candidate IN ARRAY array_remove(
    ARRAY[family.relname || '_' || suffix, stem || '_p' || hash], NULL
  ) LOOP
    CONTINUE WHEN octet_length(candidate) > room;
    made := to_regclass(format('%I.%I', family.nspname, candidate));
    IF made IS NOT NULL AND EXISTS (
      SELECT FROM pg_inherits i
      JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhrelid = made AND i.inhparent = make.parent
        AND replace(pg_get_expr(c.relpartbound, c.oid), '''', '') = replace(bound, '''', '')
    ) THEN
      RETURN made;
    END IF;
    CONTINUE WHEN made IS NOT NULL OR EXISTS (
      SELECT FROM pg_type t
      WHERE t.typname = candidate::name AND t.typnamespace = family.relnamespace
    );
    EXECUTE format('CREATE TABLE %I.%I PARTITION OF %s %s',
                   family.nspname, candidate, parent, bound);
    made := format('%I.%I', family.nspname, candidate);
    -- A superuser's job makes partitions that the table's owner can drop.
    IF family.owner <> current_user THEN
      EXECUTE format('ALTER TABLE %s OWNER TO %I', made, family.owner);
    END IF;
    -- Otherwise default privileges could let somebody read past the policies of the table.
    IF family.relrowsecurity THEN
      EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', made);
    END IF;
    RETURN made;
  END LOOP;
  RAISE duplicate_table USING
    MESSAGE = format('the names for a partition of %s %s are taken: %I', parent, bound, candidate),
    HINT = format('Rename what is called so in the schema %I.', family.nspname);
END
$$;
COMMENT ON FUNCTION slipway_partitions.make IS
  'Made by Slipway: makes a partition under a name that is free, or returns it where add() or '
  'add_default() made it before.';

CREATE OR REPLACE FUNCTION slipway_partitions.add(
  parent pg_catalog.regclass, lower pg_catalog.text, upper pg_catalog.text
)
RETURNS pg_catalog.regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET DateStyle = 'ISO, YMD'
AS $$
DECLARE
  key record;
  existing regclass;
BEGIN
  SELECT * INTO key FROM slipway_partitions.partition_key(parent);
  -- CREATE TABLE will take this lock; taken now, no other session adds the same range meanwhile.
  EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', parent);
  -- As PostgreSQL itself writes these values, the texts of equal bounds are equal.
  EXECUTE format('SELECT CAST(%L AS %s)::text, CAST(%L AS %2$s)::text', lower, key.key_type, upper)
  INTO lower, upper;
  RETURN slipway_partitions.make(
    parent,
    CASE
      WHEN lower IS NULL THEN 'pmin'
      WHEN lower ~ '^-?[0-9]+$' THEN 'p' || replace(lower, '-', 'm')
      WHEN lower ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}( 00:00:00([+]00)?)?$'
        THEN 'p' || replace(left(lower, 10), '-', '')
      WHEN lower ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}([.][0-9]+)?([+]00)?$'
        THEN 'p' || translate(left(lower, 19), ' -:', '_')
      -- Years before Christ or beyond 9999, and infinity, make no good names.
    END,
    format('FOR VALUES FROM (%s) TO (%s)',
           coalesce(quote_literal(lower), 'MINVALUE'), coalesce(quote_literal(upper), 'MAXVALUE'))
  );
EXCEPTION
  -- The range overlaps with another, or its name is taken: it may be there under another name.
  WHEN invalid_object_definition OR duplicate_table THEN
    SELECT r.partition INTO existing
    FROM slipway_partitions.ranges(parent) r
    WHERE r.lower IS NOT DISTINCT FROM add.lower AND r.upper IS NOT DISTINCT FROM add.upper;
    IF NOT FOUND THEN
      RAISE;
    END IF;
    RETURN existing;
END
$$;
COMMENT ON FUNCTION slipway_partitions.add IS
  'Made by Slipway: makes the partition of a table from one value to another, NULL for no limit, '
  'unless there is one of exactly this range; times without a zone are UTC.';

CREATE OR REPLACE FUNCTION slipway_partitions.add_default(parent pg_catalog.regclass)
RETURNS pg_catalog.regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  existing regclass;
BEGIN
  PERFORM slipway_partitions.partition_key(parent);
  EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', parent);
  SELECT nullif(p.partdefid, 0) INTO existing
  FROM pg_partitioned_table p
  WHERE p.partrelid = parent;
  RETURN coalesce(existing, slipway_partitions.make(parent, 'default', 'DEFAULT'));
END
$$;
COMMENT ON FUNCTION slipway_partitions.add_default IS
  'Made by Slipway: makes the default partition of a table, for rows that no range takes, unless '
  'there is one.';

CREATE OR REPLACE FUNCTION slipway_partitions.manage(
  parent pg_catalog.regclass, "column" pg_catalog.name, width interval, step bigint
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET DateStyle = 'ISO, YMD'
AS $$
DECLARE
  day CONSTANT timestamp := '2000-01-01';
  key record;
BEGIN
  SELECT * INTO key FROM slipway_partitions.partition_key(parent);
  IF "column" IS DISTINCT FROM key.key_column THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('%s is not partitioned by %I but by %I', parent, "column", key.key_column);
  END IF;
  IF (width IS NULL) IS DISTINCT FROM
     (key.base_type IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)) THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('%s is partitioned by a column of type %s', parent, key.key_type),
      HINT = 'Give a width for a column of time, a step for one of numbers, and not both.';
  END IF;
  IF key.base_type = 'date'::regtype AND day + width <> (day + width)::date THEN
    RAISE invalid_parameter_value USING
      MESSAGE = format('%s is partitioned by a date, and %s are no whole days', parent, width),
      HINT = 'Give a width of whole days, weeks, months or years.';
  END IF;
  INSERT INTO slipway_partitions.managed AS m VALUES (parent, "column", width, step)
  ON CONFLICT ON CONSTRAINT managed_pkey DO UPDATE
  SET "column" = excluded."column", width = excluded.width, step = excluded.step;
END
$$;
COMMENT ON FUNCTION slipway_partitions.manage IS
  'Made by Slipway: has extend() make partitions of this width (time) or step (numbers) for a '
  'table, from now on.';

CREATE OR REPLACE FUNCTION slipway_partitions.next_times(
  last timestamp, width interval, moment timestamp, until timestamp, at_most integer
)
RETURNS TABLE (lower timestamp, upper timestamp)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
SET DateStyle = 'ISO, YMD'
AS $$
DECLARE
  -- With nothing to go on with: weeks begin on Mondays, all else is counted from a new year.
  start CONSTANT timestamp := coalesce(
    last, CASE width WHEN interval '7 days' THEN '2000-01-03' ELSE '2000-01-01' END::timestamp);
  -- Months and years are of different lengths, so the division may be a few widths out.
  n bigint := greatest(
    0, floor(extract(epoch FROM moment - start) / extract(epoch FROM width)));
BEGIN
  WHILE n > 0 AND start + n * width > moment LOOP
    n := n - 1;
  END LOOP;
  WHILE start + (n + 1) * width <= moment LOOP
    n := n + 1;
  END LOOP;
  FOR i IN 1..at_most LOOP
    -- Always from the start: the 31st plus a month plus a month is not the 31st.
    lower := start + n * width;
    EXIT WHEN lower > until;
    n := n + 1;
    upper := start + n * width;
    RETURN NEXT;
  END LOOP;
END
$$;
COMMENT ON FUNCTION slipway_partitions.next_times IS
  'Made by Slipway: the ranges after the last bound, or else aligned by the calendar, from the '
  'one that holds the moment to the one that holds the end.';

CREATE OR REPLACE FUNCTION slipway_partitions.next_numbers(
  last numeric, step bigint, greatest_value numeric, largest numeric
)
RETURNS TABLE (lower numeric, upper numeric)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  lower := coalesce(last, 0);
  IF last IS NULL OR lower <= greatest_value THEN
    lower := lower + floor((greatest_value - lower) / step) * step;
  END IF;
  WHILE lower <= greatest_value + 2 * step::numeric LOOP
    upper := lower + step;
    IF upper > largest THEN
      -- No bound of this type lies beyond its largest value, which the range has to hold.
      upper := NULL;
      RETURN NEXT;
      RETURN;
    END IF;
    RETURN NEXT;
    lower := upper;
  END LOOP;
END
$$;
COMMENT ON FUNCTION slipway_partitions.next_numbers IS
  'Made by Slipway: the ranges after the last bound, or else from a multiple of the step, until '
  'two steps beyond the greatest value.';

CREATE OR REPLACE FUNCTION slipway_partitions.missing(
  parent pg_catalog.regclass, width interval, step bigint, ahead interval, at_most integer
)
RETURNS TABLE (lower pg_catalog.text, upper pg_catalog.text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET DateStyle = 'ISO, YMD'
AS $$
DECLARE
  -- Every bound and the clock as a timestamp in UTC, whatever type the column has.
  moment CONSTANT timestamp := now() AT TIME ZONE 'UTC';
  key record;
  greatest_value numeric;
BEGIN
  SELECT * INTO key FROM slipway_partitions.partition_key(parent);
  IF EXISTS (SELECT FROM slipway_partitions.ranges(parent) r
             WHERE r.upper IS NULL OR r.upper = 'infinity') THEN
    RETURN;
  END IF;
  IF width IS NOT NULL THEN
    RETURN QUERY
    SELECT t.lower::text, t.upper::text
    FROM slipway_partitions.next_times(
      (SELECT max(r.upper::timestamp) FROM slipway_partitions.ranges(parent) r
       WHERE r.upper <> '-infinity'),
      width, moment, greatest(moment + ahead, moment + 2 * width), at_most
    ) t;
    RETURN;
  END IF;
  EXECUTE format('SELECT max(%I) FROM %s', key.key_column, parent) INTO greatest_value;
  RETURN QUERY
  SELECT t.lower::text, t.upper::text
  FROM slipway_partitions.next_numbers(
    (SELECT max(r.upper::numeric) FROM slipway_partitions.ranges(parent) r),
    step, greatest_value,
    CASE key.base_type
      WHEN 'smallint'::regtype THEN 32767
      WHEN 'integer'::regtype THEN 2147483647
      ELSE 9223372036854775807
    END
  ) t;
END
$$;
COMMENT ON FUNCTION slipway_partitions.missing IS
  'Made by Slipway: the ranges that extend() is going to make partitions for.';

CREATE OR REPLACE FUNCTION slipway_partitions.extend(ahead interval DEFAULT interval '7 days')
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET DateStyle = 'ISO, YMD'
AS $$
DECLARE
  -- Every new partition is locked until the transaction ends, and locks are limited.
  at_most CONSTANT integer := 1000;
  patience CONSTANT text := current_setting('lock_timeout');
  hint CONSTANT text := 'Run SELECT slipway_partitions.extend() again when this is put right; to '
    'leave the table alone, delete its row from slipway_partitions.managed.';
  target record;
  gap record;
  tried integer;
  made integer := 0;
BEGIN
  IF NOT isfinite(ahead) THEN
    RAISE invalid_parameter_value USING MESSAGE = 'partitions cannot be made for all time to come';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('slipway_partitions', 0));
  -- While this waits for a long reader, everybody else queues up behind it.
  PERFORM set_config('lock_timeout', '5s', true);

  <<tables>>
  FOR target IN SELECT m.parent, m.width, m.step FROM slipway_partitions.managed m ORDER BY 1 LOOP
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = target.parent) THEN
      DELETE FROM slipway_partitions.managed m WHERE m.parent = target.parent;
      RAISE WARNING 'the table with OID % was dropped and is no longer managed', target.parent;
      CONTINUE;
    END IF;
    tried := 0;
    BEGIN
      FOR gap IN
        SELECT * FROM slipway_partitions.missing(
          target.parent, target.width, target.step, ahead, at_most)
      LOOP
        tried := tried + 1;
        -- Each in a block of its own, so that what was made before a failure stays.
        BEGIN
          PERFORM slipway_partitions.add(target.parent, gap.lower, gap.upper);
          made := made + 1;
        EXCEPTION
          WHEN check_violation THEN
            RAISE WARNING 'no partition of % from % to %: the default partition holds such rows',
              target.parent, gap.lower, coalesce(gap.upper, 'MAXVALUE')
              USING HINT = format(
                'Move these rows out of the default partition, run '
                'SELECT slipway_partitions.add(%L, %L, %L), and insert them into %s again.',
                target.parent, gap.lower, gap.upper, target.parent);
          WHEN lock_not_available THEN
            RAISE WARNING 'no partition of % from % to %: another session is using the table',
              target.parent, gap.lower, coalesce(gap.upper, 'MAXVALUE')
              USING HINT = 'Run SELECT slipway_partitions.extend() again when it is done.';
            -- What was made so far stays locked while the next busy table is waited for.
            PERFORM set_config('lock_timeout', '100ms', true);
            EXIT;
          WHEN out_of_memory THEN
            RAISE WARNING 'no partition of % from % to %: %',
              target.parent, gap.lower, coalesce(gap.upper, 'MAXVALUE'), SQLERRM
              USING HINT = 'Run SELECT slipway_partitions.extend() again for the rest.';
            -- No lock is left for anybody: the end of the transaction gives them back.
            EXIT tables;
          WHEN OTHERS THEN
            RAISE WARNING 'no partition of % from % to %: %',
              target.parent, gap.lower, coalesce(gap.upper, 'MAXVALUE'), SQLERRM
              USING HINT = hint;
            EXIT;
        END;
      END LOOP;
    EXCEPTION
      WHEN OTHERS THEN
        RAISE WARNING 'no partitions of %: %', target.parent, SQLERRM USING HINT = hint;
    END;
    IF tried = at_most THEN
      RAISE WARNING '% needs more partitions than the % of one run', target.parent, at_most
        USING HINT = 'Run SELECT slipway_partitions.extend() again for the rest.';
    END IF;
  END LOOP;
  PERFORM set_config('lock_timeout', patience, true);
  RETURN made;
END
$$;
COMMENT ON FUNCTION slipway_partitions.extend IS
  'Made by Slipway: makes the partitions that the managed tables need until now and this long '
  'ahead, returns how many, and warns about what it could not make; run '
  '"SELECT slipway_partitions.extend()" daily with cron or pg_cron.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA slipway_partitions FROM PUBLIC;
