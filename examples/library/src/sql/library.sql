-- name: add_user!
insert into users (public_id, name, password, admin) values ($1, $2, $3, $4);

-- name: get_user^
select public_id, name, password, admin from users where name = $1;

-- name: list_users
select public_id, name, password, admin from users order by name limit 1000;

-- name: make_admin! (sqlite)
update users set admin = 1 where name = $1;
-- name: make_admin! (postgres)
update users set admin = true where name = $1;

-- name: add_author$
insert into authors (name, book, country, booker_prize, owner) values ($1, $2, $3, $4, $5) returning id;

-- name: list_authors
select id, name, book, country, booker_prize from authors where owner = $1 order by id limit 1000;

-- name: owner_of$
select owner from authors where id = $1;

-- name: delete_author!
delete from authors where id = $1 and owner = $2;
