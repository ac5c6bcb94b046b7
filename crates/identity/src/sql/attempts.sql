-- name: get_attempts^
select failures, blocked_until from attempts where subject = $1;

-- name: lock_attempts^
-- The counter under lock, made when it is not there.
insert into attempts (subject, kind, person, failures, failed_at, blocked_until) values ($1, $2, $3, 0, $4, $4)
on conflict (subject) do update set person = excluded.person
returning failures, blocked_until;

-- name: put_attempts!
update attempts set failures = $2, blocked_until = $3, failed_at = $4 where subject = $1;

-- name: clear_attempts!
-- Unless there are $2 or more: then only staff clear them.
delete from attempts where subject = $1 and failures < $2;

-- name: unlock!
-- All of person $1, and what was counted under their login before they were known: $2.
delete from attempts where person = $1 or subject = $2;

-- name: forget_attempts!
-- Of devices and sessions that are long gone.
delete from attempts where kind <> 'login' and failed_at < $1;

-- name: forget_strangers!
-- Of names that nobody has, all but the newest $1.
delete from attempts where person is null and failed_at < (
  select failed_at from attempts where person is null order by failed_at desc limit 1 offset $1
);

-- name: owner_of_device$
select person from devices where hash = $1;

-- name: add_device!
insert into devices (hash, person, seen_at) values ($1, $2, $3);

-- name: touch_device!
update devices set seen_at = $2 where hash = $1;

-- name: trim_devices!
-- Keeps the newest $2 of person $1.
delete from devices where person = $1 and hash not in (
  select hash from devices where person = $1 order by seen_at desc, hash limit $2
);

-- name: forget_devices!
delete from devices where seen_at < $1;
