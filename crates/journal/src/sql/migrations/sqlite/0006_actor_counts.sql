-- Who did how much of a kind is read without what everybody did of the others: by kind first, and then by day.
create table counts_of_actors (
  kind bigint not null,
  day bigint not null,
  actor_id blob not null,
  actor_login text not null,
  entries bigint not null,
  constraint actor_counts_kind_day_actor_id primary key (kind, day, actor_id)
) without rowid;
insert into counts_of_actors (kind, day, actor_id, actor_login, entries)
select kind, day, actor_id, actor_login, entries from actor_counts order by kind, day, actor_id;
drop table actor_counts;
alter table counts_of_actors rename to actor_counts;
create index actor_counts_actor_id on actor_counts (actor_id);
