-- name: add_status! (sqlite)
insert into app_status (timestamp, app_name, status, response_time) values ($1, $2, $3, cast($4 as real));
-- name: add_status! (postgres)
insert into app_status (timestamp, app_name, status, response_time)
values (cast(cast($1 as text) as timestamp) at time zone 'UTC', $2, $3, cast(cast($4 as text) as double precision));
