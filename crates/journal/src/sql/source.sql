-- name: know_source!
insert into sources (name, seq) values ($1, 0) on conflict do nothing;

-- name: heard_up_to$ (sqlite)
select seq from sources where name = $1;
-- name: heard_up_to$ (postgres)
-- Locked, so that of two deliveries of one source the second sees what the first kept.
select seq from sources where name = $1 for update;

-- name: hear!
update sources set seq = $2 where name = $1;

-- name: gaps_of
select first_seq, last_seq from gaps where source = $1 order by first_seq;

-- name: forget_gaps!
delete from gaps where source = $1;

-- name: add_gaps*! (sqlite)
insert into gaps (source, first_seq, last_seq) values ($1, $2, $3);
-- name: add_gaps*! (postgres)
insert into gaps (source, first_seq, last_seq) select * from unnest($1::text[], $2::bigint[], $3::bigint[]);

-- name: count_gaps$
select count(*) from gaps;
