-- Who did how much is kept for spans of thirty days too (span, in microseconds), so that a year of it is read.
alter table actor_counts rename column day to start;
alter table actor_counts add column span bigint not null default 86400000000;
alter table actor_counts alter column span drop default;
alter table actor_counts drop constraint actor_counts_kind_day_actor_id;
insert into actor_counts (span, kind, start, actor_id, actor_login, entries)
select 2592000000000, kind, start - ((start % 2592000000000) + 2592000000000) % 2592000000000, actor_id, max(actor_login), sum(entries)
from actor_counts group by kind, 3, actor_id;
alter table actor_counts add constraint actor_counts_span_kind_start_actor_id primary key (span, kind, start, actor_id);
