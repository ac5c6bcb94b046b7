-- name: add_person!
-- Nothing is added when the login is taken.
insert into people
  (id, login, email, first_name, last_name, role, state, language, password_hash, search, created_at, imported_hash)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (login) do nothing;

-- name: get_person^
select id, login, email, first_name, last_name, role, state, language,
  coalesce(imported_hash, password_hash) as password_hash, created_at, last_login_at
from people where id = $1;

-- name: get_person_by_login^
select id, login, email, first_name, last_name, role, state, language,
  coalesce(imported_hash, password_hash) as password_hash, created_at, last_login_at
from people where login = $1;

-- name: lock_person^ (sqlite)
select id, login, email, first_name, last_name, role, state, language,
  coalesce(imported_hash, password_hash) as password_hash, created_at, last_login_at
from people where id = $1;
-- name: lock_person^ (postgres)
select id, login, email, first_name, last_name, role, state, language,
  coalesce(imported_hash, password_hash) as password_hash, created_at, last_login_at
from people where id = $1 for update;

-- name: lock_superusers (sqlite)
-- All of them, in one order: who counts them must not count while another counts.
select id, state from people where role = 'superuser' order by id;
-- name: lock_superusers (postgres)
select id, state from people where role = 'superuser' order by id for update;

-- name: has_superuser$
select count(*) from people where role = 'superuser';

-- name: list_people (sqlite)
-- Newest first, before $1; superusers only when $2; state $3, role $4, text $5 when given.
select id, login, email, first_name, last_name, role, state, language,
  coalesce(imported_hash, password_hash) as password_hash, created_at, last_login_at
from people
where ($1 is null or id < $1) and ($2 or role <> 'superuser') and ($3 is null or state = $3)
  and ($4 is null or role = $4) and ($5 is null or instr(search, $5) > 0)
order by id desc limit $6;
-- name: list_people (postgres)
select id, login, email, first_name, last_name, role, state, language,
  coalesce(imported_hash, password_hash) as password_hash, created_at, last_login_at
from people
where ($1::uuid is null or id < $1) and ($2::boolean or role <> 'superuser') and ($3::text is null or state = $3)
  and ($4::text is null or role = $4) and ($5::text is null or strpos(search, $5) > 0)
order by id desc limit $6;

-- name: set_profile!
update people set email = $2, first_name = $3, last_name = $4, language = $5, search = $6 where id = $1;

-- name: set_state!
update people set state = $2 where id = $1;

-- name: set_password!
update people set password_hash = $2, imported_hash = null where id = $1;

-- name: set_last_login!
update people set last_login_at = $2 where id = $1;

-- name: delete_person!
-- Sessions and their secrets go with them.
delete from people where id = $1;

-- name: count_active_superusers$
select count(*) from people where role = 'superuser' and state = 'active';
