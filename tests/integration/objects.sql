-- An example of nearly every kind of object, with names that need care. The roles exist already.
CREATE SCHEMA trading;
COMMENT ON SCHEMA trading IS 'where money moves';
CREATE SCHEMA "Odd Schema";

CREATE TYPE trading.side AS ENUM ('buy', 'sell');
CREATE TYPE trading.money AS (amount numeric(28,10), currency text COLLATE "C");
CREATE DOMAIN trading.price AS numeric(28,10) DEFAULT 1 NOT NULL
  CONSTRAINT positive CHECK (VALUE > 0);
CREATE TYPE trading.spread AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE COLLATION trading.plain (provider = libc, locale = 'C');

CREATE TABLE trading.instrument (
  id bigint GENERATED ALWAYS AS IDENTITY (START 100) PRIMARY KEY,
  symbol text COLLATE "C" NOT NULL UNIQUE,
  dropped int,
  name varchar(200) DEFAULT 'nameless' NOT NULL,
  label text GENERATED ALWAYS AS (upper(symbol)) STORED
) WITH (fillfactor = 90);
ALTER TABLE trading.instrument DROP COLUMN dropped;
COMMENT ON COLUMN trading.instrument.symbol IS 'as the exchange says it';

CREATE TABLE trading.orders (
  id serial PRIMARY KEY,
  instrument bigint REFERENCES trading.instrument DEFERRABLE INITIALLY DEFERRED,
  side trading.side NOT NULL,
  price trading.price,
  owner_name name DEFAULT CURRENT_USER,
  during tstzrange,
  CONSTRAINT "no Overlap" EXCLUDE USING gist (during WITH &&)
);
ALTER TABLE trading.orders ADD CONSTRAINT cheap CHECK (price < 1000000) NOT VALID;
ALTER TABLE trading.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON trading.orders FOR SELECT TO objects_reader USING (owner_name = CURRENT_USER);
CREATE INDEX orders_price ON trading.orders (price DESC) INCLUDE (side) WHERE side = 'buy';
CREATE STATISTICS trading.side_price ON side, price FROM trading.orders;

CREATE UNLOGGED TABLE "Odd Schema"."Odd ""Name"", 'quoted'" ("Odd Column" int, "100% {}" text);
CREATE TABLE public.ünïcode_ẞ ("日本" text);
CREATE TABLE public.t23456789_123456789_123456789_123456789_123456789_123456789_123 (
  c23456789_123456789_123456789_123456789_123456789_123456789_123 int
    CONSTRAINT k23456789_123456789_123456789_123456789_123456789_123456789_123 CHECK (true)
);
CREATE TABLE public.nothing ();
CREATE TABLE public.parent (a int);
CREATE TABLE public.child (b int) INHERITS (public.parent);

CREATE TABLE trading.quote (at date, symbol text, bid float8, PRIMARY KEY (at, symbol))
  PARTITION BY RANGE (at);
CREATE TABLE trading.quote_2025 PARTITION OF trading.quote
  FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE trading.quote_rest PARTITION OF trading.quote DEFAULT;
CREATE INDEX quote_bid ON trading.quote (bid);
ALTER TABLE trading.quote ADD FOREIGN KEY (symbol) REFERENCES trading.instrument (symbol);

CREATE SEQUENCE trading.ticket AS integer INCREMENT 7 MAXVALUE 500 START 3 CYCLE;
CREATE SEQUENCE "Odd Schema"."Odd Sequence";

CREATE FUNCTION trading.notional(price numeric, quantity numeric DEFAULT 1) RETURNS numeric
  LANGUAGE sql IMMUTABLE AS 'SELECT price * quantity';
CREATE FUNCTION trading.notional(OUT result text) LANGUAGE plpgsql
  AS $$ BEGIN result := '100% {sure}'; END $$;
CREATE FUNCTION trading.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION trading.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE PROCEDURE trading.settle(INOUT day date, "How much" numeric)
  LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE AGGREGATE trading.total(numeric) (SFUNC = numeric_add, STYPE = numeric, INITCOND = '0');
CREATE TRIGGER touch BEFORE UPDATE ON trading.orders FOR EACH ROW EXECUTE FUNCTION trading.touch();
CREATE TRIGGER touch AFTER INSERT ON trading.quote FOR EACH ROW EXECUTE FUNCTION trading.touch();
CREATE RULE keep AS ON DELETE TO trading.instrument DO INSTEAD NOTHING;
CREATE EVENT TRIGGER objects_watch ON sql_drop WHEN TAG IN ('DROP OWNED')
  EXECUTE FUNCTION trading.watch();

CREATE VIEW trading.book WITH (security_barrier = true) AS
  SELECT o.id, o.price, i.name AS "The name"
  FROM trading.orders o JOIN trading.instrument i ON i.id = o.instrument;
COMMENT ON COLUMN trading.book.id IS 'of the order';
CREATE VIEW public.empty AS SELECT;
CREATE MATERIALIZED VIEW trading.totals AS
  SELECT side, count(*) AS orders FROM trading.orders GROUP BY side WITH NO DATA;

CREATE OPERATOR trading.<@@> (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = trading.notional);
CREATE FUNCTION trading.as_text(trading.money) RETURNS text LANGUAGE sql AS 'SELECT ($1).currency';
CREATE CAST (trading.money AS text) WITH FUNCTION trading.as_text(trading.money) AS ASSIGNMENT;
CREATE OPERATOR CLASS trading.backwards FOR TYPE int4 USING btree AS
  OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <,
  FUNCTION 1 btint4cmp(int4, int4);
CREATE TEXT SEARCH DICTIONARY trading.words (TEMPLATE = simple, accept = false);
CREATE TEXT SEARCH CONFIGURATION trading.notes (COPY = simple);
CREATE PUBLICATION objects_some FOR TABLE trading.orders (id, price) WHERE (id > 3);

CREATE FOREIGN DATA WRAPPER objects_wrapper OPTIONS (password 'canary-secret');
CREATE SERVER objects_server FOREIGN DATA WRAPPER objects_wrapper
  OPTIONS (password 'canary-secret');
CREATE USER MAPPING FOR objects_reader SERVER objects_server OPTIONS (password 'canary-secret');
CREATE FOREIGN TABLE trading.elsewhere (id int) SERVER objects_server
  OPTIONS (password 'canary-secret');
SELECT lo_from_bytea(4242, 'large'), lo_from_bytea(4243, 'larger');

GRANT USAGE ON SCHEMA trading TO objects_reader;
GRANT SELECT ON trading.instrument TO objects_reader WITH GRANT OPTION;
GRANT UPDATE (price) ON trading.orders TO objects_reader;
GRANT INSERT ON trading.orders TO PUBLIC;
GRANT SELECT ON SEQUENCE trading.ticket TO objects_reader;
GRANT SELECT ON LARGE OBJECT 4242 TO objects_reader;
REVOKE EXECUTE ON FUNCTION trading.touch() FROM PUBLIC;
COMMENT ON DATABASE objects_example IS 'an example';
ALTER DATABASE objects_example SET work_mem = '8MB';
ALTER ROLE objects_reader IN DATABASE objects_example SET timezone = 'Europe/Zurich';

CREATE EXTENSION timescaledb;
CREATE TABLE trading.tick (at timestamptz NOT NULL, symbol text, price float8 CHECK (price > 0));
SELECT create_hypertable('trading.tick', 'at', chunk_time_interval => interval '1 day',
  associated_schema_name => 'trading');
CREATE INDEX tick_symbol ON trading.tick (symbol, at);
CREATE TRIGGER touch BEFORE INSERT ON trading.tick FOR EACH ROW EXECUTE FUNCTION trading.touch();
GRANT SELECT ON trading.tick TO objects_reader;
INSERT INTO trading.tick VALUES ('2025-01-01 00:00Z', 'A', 1), ('2025-01-02 00:00Z', 'A', 1);
CREATE TABLE public.counter (n bigint PRIMARY KEY, key int);
SELECT create_hypertable('public.counter', 'n', chunk_time_interval => 100);
INSERT INTO public.counter VALUES (5, 1), (105, 2);
CREATE TABLE public.counted (n bigint REFERENCES public.counter);

-- The Apache edition has no functions for jobs, compression and continuous aggregates, but the
-- catalog that they are kept in.
INSERT INTO _timescaledb_config.bgw_job (id, application_name, schedule_interval, max_runtime,
    max_retries, retry_period, proc_schema, proc_name, owner, scheduled, hypertable_id, config)
  SELECT 1001, 'Mine [1001]', '1 hour', '0', 3, '5 minutes', 'trading', 'settle', 'objects_reader',
    false, id, '{"keep": "1 day"}'
  FROM _timescaledb_catalog.hypertable WHERE table_name = 'tick';
CREATE TABLE _timescaledb_internal._materialized_hypertable_3 (bucket timestamptz NOT NULL, n int);
SELECT create_hypertable('_timescaledb_internal._materialized_hypertable_3', 'bucket');
INSERT INTO _timescaledb_internal._materialized_hypertable_3 VALUES ('2025-01-01 00:00Z', 2);
CREATE VIEW trading.daily AS
  SELECT bucket, n FROM _timescaledb_internal._materialized_hypertable_3;
CREATE VIEW _timescaledb_internal._direct_view_3 AS
  SELECT time_bucket('1 day', at) AS bucket, count(*)::int AS n FROM trading.tick GROUP BY 1;
CREATE VIEW _timescaledb_internal._partial_view_3 AS
  SELECT * FROM _timescaledb_internal._direct_view_3;
INSERT INTO _timescaledb_catalog.continuous_agg
  SELECT m.id, r.id, NULL, 'trading', 'daily', '_timescaledb_internal', '_partial_view_3',
    '_timescaledb_internal', '_direct_view_3', true, true
  FROM _timescaledb_catalog.hypertable m, _timescaledb_catalog.hypertable r
  WHERE m.table_name = '_materialized_hypertable_3' AND r.table_name = 'tick';
INSERT INTO _timescaledb_catalog.continuous_aggs_bucket_function
  SELECT mat_hypertable_id, 'public.time_bucket(interval,timestamptz)', '1 day', NULL, NULL, NULL,
    true
  FROM _timescaledb_catalog.continuous_agg;
INSERT INTO _timescaledb_catalog.continuous_aggs_watermark
  SELECT mat_hypertable_id, 86400000000 FROM _timescaledb_catalog.continuous_agg;
INSERT INTO _timescaledb_catalog.compression_settings VALUES
  ('public.counter', NULL, '{key}', '{n}', '{true}', '{true}');
UPDATE _timescaledb_catalog.hypertable
  SET compression_state = 1, compressed_hypertable_id = id WHERE table_name = 'counter';

-- Nothing more is made after this.
ALTER DEFAULT PRIVILEGES IN SCHEMA trading GRANT SELECT ON TABLES TO objects_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
