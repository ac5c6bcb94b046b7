-- One role and one database for each service that keeps data; nothing for anybody else.
-- Run once, as the administrator:  psql -v ON_ERROR_STOP=1 -d postgres -f roles.sql

-- A new role can connect nowhere, and a new database lets nobody in.
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;

CREATE ROLE identity LOGIN CONNECTION LIMIT 60;
CREATE DATABASE guichet_identity OWNER identity;
REVOKE ALL ON DATABASE guichet_identity FROM PUBLIC;

CREATE ROLE bank LOGIN CONNECTION LIMIT 60;
CREATE DATABASE guichet_bank OWNER bank;
REVOKE ALL ON DATABASE guichet_bank FROM PUBLIC;

CREATE ROLE journal LOGIN CONNECTION LIMIT 60;
CREATE DATABASE guichet_journal OWNER journal;
REVOKE ALL ON DATABASE guichet_journal FROM PUBLIC;

-- Whoever keeps the server's own certificate fresh: may make it read its files again and end sessions, nothing else.
CREATE ROLE postgresql LOGIN CONNECTION LIMIT 5;
GRANT CONNECT ON DATABASE postgres TO postgresql;
GRANT pg_signal_backend, pg_read_all_stats TO postgresql;
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO postgresql;

-- Inside each database too: whatever a service makes is its own, should somebody be let in later.
\connect guichet_identity
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO identity;
ALTER DEFAULT PRIVILEGES FOR ROLE identity REVOKE ALL ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE identity REVOKE ALL ON TYPES FROM PUBLIC;

\connect guichet_bank
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO bank;
ALTER DEFAULT PRIVILEGES FOR ROLE bank REVOKE ALL ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE bank REVOKE ALL ON TYPES FROM PUBLIC;

\connect guichet_journal
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO journal;
ALTER DEFAULT PRIVILEGES FOR ROLE journal REVOKE ALL ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE journal REVOKE ALL ON TYPES FROM PUBLIC;

-- For the alternative with passwords only, in psql, which keeps what is typed out of every log:
--   \password identity
--   \password bank
--   \password journal
