-- A decision is looked for by the trace id that its answer bore.
alter table audit add column trace_id text;
create index audit_trace_id on audit (trace_id);
