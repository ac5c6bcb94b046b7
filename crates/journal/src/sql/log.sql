-- name: size$ (sqlite)
select size from log where name = 'journal';
-- name: size$ (postgres)
-- Held until the transaction ends: one appends at a time.
select size from log where name = 'journal' for update;

-- name: size_now$
select size from log where name = 'journal';

-- name: end$
select max(one) from (select max(place) + 1 as one from leaves union all select max(leaf) + 1 as one from nodes) as ends;

-- name: set_size!
update log set size = $1 where name = 'journal';

-- name: key$
select key from log where name = 'journal';

-- name: set_key!
update log set key = $1 where name = 'journal' and key is null;

-- name: complete$
select complete from log where name = 'journal';

-- name: set_complete!
update log set complete = true where name = 'journal';

-- name: add_leaves*! (sqlite)
insert into leaves (place, entry_id, actor, content, salt) values ($1, $2, $3, $4, $5);
-- name: add_leaves*! (postgres)
insert into leaves (place, entry_id, actor, content, salt)
select * from unnest($1::bigint[], $2::uuid[], $3::bytea[], $4::bytea[], $5::bytea[]);

-- name: add_nodes*! (sqlite)
insert into nodes (leaf, level, hash) values ($1, $2, $3);
-- name: add_nodes*! (postgres)
insert into nodes (leaf, level, hash) select * from unnest($1::bigint[], $2::bigint[], $3::bytea[]);

-- name: nodes_at (sqlite)
select leaf, level, hash from nodes where leaf in rarray($1);
-- name: nodes_at (postgres)
select leaf, level, hash from nodes where leaf = any($1);

-- name: nodes_between
select leaf, level, hash from nodes where leaf >= $1 and leaf < $2 order by leaf, level;

-- name: not_logged
-- Entries that came before there was a log, oldest first.
select id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details,
  trace_id, raw
from entries
where not exists (select 1 from leaves where entry_id = id)
order by at, id
limit $1;

-- name: logged_between
-- Leaves and their entries, from one place up to another.
select leaves.place, actor, content, salt, id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id,
  subject_login, message, details, trace_id, raw
from leaves left join entries on entry_id = id
where leaves.place >= $1 and leaves.place < $2
order by leaves.place;

-- name: logged^
-- One entry with its leaf.
select leaves.place, actor, content, salt, id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id,
  subject_login, message, details, trace_id, raw
from leaves join entries on entry_id = id
where entry_id = $1;

-- name: add_checkpoint!
insert into checkpoints (size, at, note) values ($1, $2, $3) on conflict do nothing;

-- name: last_checkpoint^
select size, note from checkpoints order by size desc limit 1;

-- name: checkpoints_from
select size, note from checkpoints where size >= $1 order by size limit $2;

-- name: heads_between
-- As the log signed them, without what witnesses added.
select size, note from checkpoints where size >= $1 and size <= $2 order by size;

-- name: cosignatures_of
select signature from cosignatures where size = $1 order by witness;

-- name: add_cosignature!
insert into cosignatures (size, witness, signature) values ($1, $2, $3) on conflict do nothing;

-- name: last_cosigned^
-- The last that some witness cosigned.
select checkpoints.size, note from checkpoints
where exists (select 1 from cosignatures where cosignatures.size = checkpoints.size)
order by checkpoints.size desc limit 1;
