-- What an entry is in four words. A filter on any of them is a list of kinds, of which there are a few hundred at most.
create table kinds (
  id integer not null constraint kinds_id primary key,
  source text not null,
  audience text not null,
  level text not null,
  action text not null,
  constraint kinds_source_audience_level_action unique (source, audience, level, action)
);
insert into kinds (source, audience, level, action) select distinct source, audience, level, action from entries;
alter table entries add column kind bigint;
-- Its place in the log: the order of arrival.
alter table entries add column place bigint;
update entries set
  kind = (select kinds.id from kinds where kinds.source = entries.source and kinds.audience = entries.audience
    and kinds.level = entries.level and kinds.action = entries.action),
  place = (select leaves.place from leaves where leaves.entry_id = entries.id);
drop index entries_action;
drop index entries_level;
create index entries_kind on entries (kind, at, id);
create unique index entries_place on entries (place);
create index entries_trace_id on entries (trace_id, at, id) where trace_id is not null;
-- How many entries there are of each kind in each hour and each day (span, in microseconds), by when they happened.
create table counts (
  span bigint not null,
  start bigint not null,
  kind bigint not null,
  entries bigint not null,
  constraint counts_span_start_kind primary key (span, start, kind)
) without rowid;
insert into counts (span, start, kind, entries)
select 3600000000, at / 3600000000 * 3600000000, kind, count(*) from entries group by 2, 3;
insert into counts (span, start, kind, entries)
select 86400000000, at / 86400000000 * 86400000000, kind, count(*) from entries group by 2, 3;
-- The same by who acted, for each day.
create table actor_counts (
  day bigint not null,
  actor_id blob not null,
  kind bigint not null,
  actor_login text not null,
  entries bigint not null,
  constraint actor_counts_day_actor_id_kind primary key (day, actor_id, kind)
) without rowid;
create index actor_counts_actor_id on actor_counts (actor_id);
insert into actor_counts (day, actor_id, kind, actor_login, entries)
select at / 86400000000 * 86400000000, actor_id, kind, max(actor_login), count(*)
from entries where actor_id is not null and actor_login is not null group by 1, 2, 3;
-- The words of each entry, by its place: which entries hold a word, and nothing else.
create virtual table entry_words using fts5 (words, content = '', detail = 'none', columnsize = 0, tokenize = 'ascii');
insert into entry_words (entry_words, rank) values ('secure-delete', 1);
-- The entries from before there were words: those at the places from done up to below still lack them.
create table wordless (done bigint not null, below bigint not null);
insert into wordless (done, below) select 0, size from log where name = 'journal';
