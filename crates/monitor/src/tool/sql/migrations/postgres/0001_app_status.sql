create table if not exists app_status (
  id bigint generated always as identity primary key,
  timestamp timestamptz,
  app_name varchar(255),
  status varchar(50),
  response_time double precision
);
