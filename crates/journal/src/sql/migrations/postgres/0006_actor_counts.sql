-- Who did how much of a kind is read without what everybody did of the others: by kind first, and then by day.
alter table actor_counts drop constraint actor_counts_day_actor_id_kind;
alter table actor_counts add constraint actor_counts_kind_day_actor_id primary key (kind, day, actor_id);
