-- The hash that somebody brought from another program. It stands for the password until their first sign-in, which puts
-- a better one in its place.
alter table people add column imported_hash text;
