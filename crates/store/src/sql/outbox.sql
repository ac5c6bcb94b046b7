-- name: take_numbers$
-- The first of $1 numbers. The row stays locked until the commit, so numbers are given in the order of commits.
update outbox_head set next = next + $1 where one = 1 returning next - $1;

-- name: tell*! (sqlite)
insert into outbox (seq, id, subject, payload, at) values ($1, $2, $3, $4, $5);
-- name: tell*! (postgres)
insert into outbox (seq, id, subject, payload, at)
select * from unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::bigint[]);

-- name: outbox_batch
-- The oldest $1 events.
select seq, id, subject, payload, at from outbox order by seq limit $1;

-- name: outbox_done!
-- Forgets what the journal has: everything up to $1.
delete from outbox where seq <= $1;

-- name: outbox_oldest$
-- Since when the oldest event waits.
select at from outbox order by seq limit 1;
