-- The log: every entry as a leaf of a Merkle tree (RFC 6962), in the order in which they came, and signed heads of that tree.
-- Only ever added to. A salt alone may go: then the content of its entry is erased, and the proofs still hold.
create table log (
  -- One row; whoever appends holds it.
  name text not null constraint log_name primary key,
  size bigint not null,
  -- Whether the entries from before there was a log are in it too.
  complete boolean not null,
  -- What checks the signatures on its heads, once somebody signs.
  key text
);
insert into log (name, size, complete) values ('journal', 0, false);
create table leaves (
  -- From 0, without gaps.
  place bigint not null constraint leaves_place primary key,
  entry_id uuid not null constraint leaves_entry_id unique,
  -- To who acted and to the rest, which only the salt opens.
  actor bytea not null,
  content bytea not null,
  salt bytea
);
-- The tree's nodes, each at the leaf with which it came to be, the leaf itself at level 0.
create table nodes (
  leaf bigint not null,
  level bigint not null,
  hash bytea not null,
  constraint nodes_leaf_level primary key (leaf, level)
);
-- Signed heads, as notes (C2SP tlog-checkpoint), and what witnesses added to them.
create table checkpoints (
  size bigint not null constraint checkpoints_size primary key,
  at bigint not null,
  note text not null
);
create table cosignatures (
  size bigint not null constraint cosignatures_size references checkpoints (size),
  witness text not null,
  signature text not null,
  constraint cosignatures_size_witness primary key (size, witness)
);
create function journal_append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is only added to', tg_table_name;
end $$;
create trigger leaves_append_only before delete or truncate on leaves
  for each statement execute function journal_append_only();
create trigger nodes_append_only before update or delete or truncate on nodes
  for each statement execute function journal_append_only();
create trigger checkpoints_append_only before update or delete or truncate on checkpoints
  for each statement execute function journal_append_only();
create trigger cosignatures_append_only before update or delete or truncate on cosignatures
  for each statement execute function journal_append_only();
create trigger log_append_only before delete or truncate on log
  for each statement execute function journal_append_only();
create function journal_only_grows() returns trigger language plpgsql as $$
begin
  if new.size < old.size or new.name <> old.name or new.key <> old.key then raise exception 'the log only grows'; end if;
  return new;
end $$;
create trigger log_only_grows before update on log for each row execute function journal_only_grows();
create function journal_only_erased() returns trigger language plpgsql as $$
begin
  if new.place <> old.place or new.entry_id <> old.entry_id or new.actor <> old.actor or new.content <> old.content or new.salt is not null then
    raise exception 'a leaf is never changed; only its salt can be erased';
  end if;
  return new;
end $$;
create trigger leaves_only_erased before update on leaves for each row execute function journal_only_erased();
