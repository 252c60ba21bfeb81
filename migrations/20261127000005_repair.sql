-- What the repair of deliveries asks twice a second: which logs grew behind the oldest transaction that is
-- still running. Numbers of transactions only rise, so new rows go to the end of these indexes.
create index group_events_by_xid on group_events (xid);
create index user_events_by_xid on user_events (xid);
