-- Who has or had which login. A login is looked up here, and what that person did by who it is: an index that is in no order
-- of time costs a page of the file for each entry, so entries have two of them and not four, without the
-- id, by which only what happened in the same microsecond is put in order.
create table people (
  login text not null,
  id blob not null,
  constraint people_login_id primary key (login, id)
) without rowid;
insert into people (login, id)
select actor_login, actor_id from entries where actor_login is not null and actor_id is not null
union select subject_login, subject_id from entries where subject_login is not null and subject_id is not null;
drop index entries_actor_login;
drop index entries_subject_login;
drop index entries_actor_id;
drop index entries_subject_id;
create index entries_actor_id on entries (actor_id, at) where actor_id is not null;
create index entries_subject_id on entries (subject_id, at) where subject_id is not null;
-- Nothing asks by these.
drop index entries_source_seq;
drop index actor_counts_actor_id;
