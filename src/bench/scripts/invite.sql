\set group random(0, GROUPS)
\set user random(1, 1000000000000)
begin;
select group_type, invite_option, max_members, member_count, seq, dismissed_at from groups where group_id = 'g' || :group for no key update;
select role from members where group_id = 'g' || :group and user_id = 'owner' and left_seq is null;
select 1 from members where group_id = 'g' || :group and user_id = 'p' || :user and left_seq is null union all select 2 from bans where group_id = 'g' || :group and user_id = 'p' || :user;
insert into users (user_id, created_at) values ('p' || :user, now()) on conflict do nothing;
select group_count, group_limit from users where user_id = 'p' || :user for no key update;
insert into members (group_id, user_id, role, joined_seq, joined_at, name_card, user_rev) select 'g' || :group, 'p' || :user, 1, seq + 1, now(), '', 1 from groups where group_id = 'g' || :group on conflict do nothing;
update users set group_count = group_count + 1, membership_rev = membership_rev + 1 where user_id = 'p' || :user;
update groups set member_count = member_count + 1, seq = seq + 1 where group_id = 'g' || :group;
insert into group_events (group_id, seq, kind, at, frame) select 'g' || :group, seq, 2, now(), repeat('x', 180) from groups where group_id = 'g' || :group;
commit;
