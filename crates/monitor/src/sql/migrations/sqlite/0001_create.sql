-- What is checked. The number stands for it in the results, which are many.
create table checks (
  id bigint not null constraint checks_id primary key,
  name text not null constraint checks_name unique,
  -- bank, settings or api.
  origin text not null,
  -- JSON, as it is written down.
  spec text not null,
  -- How it stood last, as JSON: kept so that a restart alarms nobody twice.
  standing text
);
-- One result each: what it counted as, for how many milliseconds before it, and how long the answer took (microseconds).
create table samples (
  check_id bigint not null,
  at bigint not null,
  state text not null,
  covers bigint not null,
  latency bigint,
  constraint samples_check_id_at primary key (check_id, at)
) without rowid;
create index samples_at on samples (at);
-- Milliseconds in each state, results, and a histogram of the latencies; by hour and by day (UTC).
create table spans (
  -- The length: an hour or a day, in microseconds.
  span bigint not null,
  check_id bigint not null,
  start bigint not null,
  up bigint not null,
  degraded bigint not null,
  down bigint not null,
  maintenance bigint not null,
  good bigint not null,
  counted bigint not null,
  latencies blob,
  constraint spans_span_check_id_start primary key (span, check_id, start)
) without rowid;
-- Up to when results were put together: every check up to `up_to`, those numbered below `next_check` an hour further.
create table put_together (
  name text not null constraint put_together_name primary key,
  up_to bigint not null,
  next_check bigint not null
);
-- Checks that are made no more: what is kept of them goes bit by bit.
create table forgotten (
  check_id bigint not null constraint forgotten_check_id primary key
);
-- From the alarm to the recovery. Kept when the check is gone.
create table incidents (
  id blob not null constraint incidents_id primary key,
  check_name text not null,
  title text not null,
  public integer not null,
  state text not null,
  since bigint not null,
  opened_at bigint not null,
  until bigint,
  cause text,
  behind text,
  acknowledged_by text
);
create index incidents_opened_at on incidents (opened_at, id);
create index incidents_check_name on incidents (check_name, opened_at, id);
create unique index incidents_open on incidents (check_name) where until is null;
create table notes (
  id blob not null constraint notes_id primary key,
  incident_id blob not null constraint notes_incident_id references incidents (id),
  at bigint not null,
  by_login text not null,
  text text not null,
  public integer not null
);
create index notes_incident on notes (incident_id, at, id);
create table maintenances (
  id blob not null constraint maintenances_id primary key,
  title text not null,
  text text,
  start_at bigint not null,
  end_at bigint not null,
  -- JSON array of names; all checks where it is empty.
  checks text not null,
  public integer not null,
  by_login text not null
);
create index maintenances_end_at on maintenances (end_at);
-- What people are to be told, once for each channel: written with the incident, sent until it was taken.
create table alerts (
  id blob not null constraint alerts_id primary key,
  incident_id blob not null constraint alerts_incident_id references incidents (id),
  -- opened, reminder or recovered.
  kind text not null,
  channel text not null,
  made_at bigint not null,
  due_at bigint not null,
  attempts bigint not null,
  sent_at bigint,
  given_up_at bigint,
  error text
);
create index alerts_due on alerts (due_at) where sent_at is null and given_up_at is null;
create index alerts_incident on alerts (incident_id, made_at);
