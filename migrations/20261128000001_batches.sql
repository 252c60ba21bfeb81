-- Ids of batches are made in the order of time: the primary key tells which ones are old.
drop index batches_by_age;
