create table users (
  public_id blob not null primary key,
  name text not null constraint users_name unique,
  password text not null,
  admin integer not null
);
create table authors (
  id integer primary key autoincrement,
  name text not null constraint authors_name unique,
  book text not null constraint authors_book unique,
  country text not null,
  booker_prize integer not null,
  owner blob not null constraint authors_owner references users (public_id)
);
create index authors_owner_index on authors (owner);
