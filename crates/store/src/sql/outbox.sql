-- name: take_numbers$
-- The first of $1 numbers (SQLite; PostgreSQL takes them in `tell`).
update outbox_head set next = next + $1 where one = 1 returning next - $1;

-- name: tell*! (sqlite)
insert into outbox (seq, id, subject, payload, at) values ($1, $2, $3, $4, $5);
-- name: tell*! (postgres)
-- $1 events. The head row stays locked until the commit, so numbers are given in the order of commits.
with head as (update outbox_head set next = next + $1 where one = 1 returning next - $1 as first)
insert into outbox (seq, id, subject, payload, at)
select (select first from head) + place - 1, id, subject, payload, at
from unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[]) with ordinality as given (id, subject, payload, at, place);

-- name: outbox_batch
-- The oldest $2 events after $1.
select seq, id, subject, payload, at from outbox where seq > $1 order by seq limit $2;

-- name: outbox_done!
-- Forgets what the journal has: everything up to $1.
delete from outbox where seq <= $1;

-- name: outbox_oldest$
-- Since when the oldest event waits.
select at from outbox order by seq limit 1;

-- name: outbox_newest$
-- The number of the newest event that waits.
select seq from outbox order by seq desc limit 1;
