-- name: get_person^
select login, pword, is_admin from utilisateur where login = $1;

-- name: add_person$
insert into utilisateur (login, pword, is_admin) values ($1, $2, $3) returning id;

-- name: improve_password!
-- Unless it was changed meanwhile.
update utilisateur set pword = $3 where login = $1 and pword = $2;
