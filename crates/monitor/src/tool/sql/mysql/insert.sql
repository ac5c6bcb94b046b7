insert into app_status (timestamp, app_name, status, response_time) values (?, ?, ?, ?)
