-- Whether the contents are gone: then the salt of its leaf is, too.
alter table entries add column erased boolean not null default false;
update entries set erased = true where id in (select entry_id from leaves where salt is null);
create index entries_not_erased on entries (at) where not erased;
-- After how many days contents are erased; null is never. One row.
create table retention (days bigint);
insert into retention (days) values (null);
