insert into users (user_id, created_at, group_count, membership_rev)
select 'm' || n, now(), 1, 1 from generate_series(1, COUNT) n;
insert into members (group_id, user_id, role, joined_seq, joined_at, name_card, user_rev)
select 'g0', 'm' || n, 1, 1, now(), '', 1 from generate_series(1, COUNT) n;
update groups set member_count = member_count + COUNT, max_members = null where group_id = 'g0';
