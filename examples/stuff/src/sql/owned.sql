-- name: list_owned
select oid, object, owner from owned order by oid limit 1000;

-- name: list_owned_by
select oid, object, owner from owned where owner = $1 order by oid limit 1000;

-- name: get_object^
-- With the owner's login, for whoever has to decide.
select owned.oid, owned.object, utilisateur.login
from owned join utilisateur on utilisateur.id = owned.owner where owned.oid = $1;

-- name: login_of$
select login from utilisateur where id = $1;
