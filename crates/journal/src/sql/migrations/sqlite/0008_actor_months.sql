-- Who did how much is kept for spans of thirty days too (span, in microseconds), so that a year of it is read.
create table spans_of_actors (
  span bigint not null,
  kind bigint not null,
  start bigint not null,
  actor_id blob not null,
  actor_login text not null,
  entries bigint not null,
  constraint actor_counts_span_kind_start_actor_id primary key (span, kind, start, actor_id)
) without rowid;
insert into spans_of_actors (span, kind, start, actor_id, actor_login, entries)
select 86400000000, kind, day, actor_id, actor_login, entries from actor_counts order by kind, day, actor_id;
insert into spans_of_actors (span, kind, start, actor_id, actor_login, entries)
select 2592000000000, kind, day - ((day % 2592000000000) + 2592000000000) % 2592000000000, actor_id, max(actor_login), sum(entries)
from actor_counts group by 2, 3, 4;
drop table actor_counts;
alter table spans_of_actors rename to actor_counts;
