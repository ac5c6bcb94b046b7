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
  entry_id blob not null constraint leaves_entry_id unique,
  -- To who acted and to the rest, which only the salt opens.
  actor blob not null,
  content blob not null,
  salt blob
);
-- The tree's nodes, each at the leaf with which it came to be, the leaf itself at level 0.
create table nodes (
  leaf bigint not null,
  level bigint not null,
  hash blob not null,
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
create trigger leaves_no_delete before delete on leaves begin select raise(abort, 'leaves is only added to'); end;
create trigger nodes_no_update before update on nodes begin select raise(abort, 'nodes is only added to'); end;
create trigger nodes_no_delete before delete on nodes begin select raise(abort, 'nodes is only added to'); end;
create trigger checkpoints_no_update before update on checkpoints begin
  select raise(abort, 'checkpoints is only added to'); end;
create trigger checkpoints_no_delete before delete on checkpoints begin
  select raise(abort, 'checkpoints is only added to'); end;
create trigger cosignatures_no_update before update on cosignatures begin
  select raise(abort, 'cosignatures is only added to'); end;
create trigger cosignatures_no_delete before delete on cosignatures begin
  select raise(abort, 'cosignatures is only added to'); end;
create trigger log_no_delete before delete on log begin select raise(abort, 'log is only added to'); end;
create trigger log_only_grows before update on log when new.size < old.size or new.name <> old.name or new.key <> old.key begin
  select raise(abort, 'the log only grows'); end;
create trigger leaves_only_erased before update on leaves
  when new.place <> old.place or new.entry_id <> old.entry_id or new.actor <> old.actor or new.content <> old.content or new.salt is not null
  begin select raise(abort, 'a leaf is never changed; only its salt can be erased'); end;
