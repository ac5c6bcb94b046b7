-- What happened, one row for each event, whoever told it.
create table entries (
  id blob not null constraint entries_id primary key,
  -- Where it comes from: the source's own numbering.
  source text not null,
  seq bigint not null,
  at bigint not null,
  audience text not null,
  level text not null,
  action text not null,
  actor_id blob,
  actor_login text,
  subject_id blob,
  subject_login text,
  message text not null,
  -- JSON object of texts.
  details text not null,
  trace_id text,
  -- What came, when it could not be read.
  raw text
);
create index entries_source_seq on entries (source, seq);
create index entries_at on entries (at, id);
create index entries_action on entries (action, at, id);
create index entries_level on entries (level, at, id);
create index entries_actor_id on entries (actor_id, at, id);
create index entries_actor_login on entries (actor_login, at, id);
create index entries_subject_id on entries (subject_id, at, id);
create index entries_subject_login on entries (subject_login, at, id);
create index entries_raw on entries (at) where raw is not null;
-- How far each source has been heard: everything up to seq, except for the gaps.
create table sources (
  name text not null constraint sources_name primary key,
  seq bigint not null
);
-- What a source has numbered and nobody has delivered: first to last.
create table gaps (
  source text not null constraint gaps_source references sources (name),
  first_seq bigint not null,
  last_seq bigint not null,
  constraint gaps_source_first_seq primary key (source, first_seq)
);
