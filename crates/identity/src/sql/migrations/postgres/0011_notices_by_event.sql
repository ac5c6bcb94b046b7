-- Notices are read in the order of what happened, whenever identity heard of it.
drop index notices_person_index;
create index notices_person_event on notices (person, event);
