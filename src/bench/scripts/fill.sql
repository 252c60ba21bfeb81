insert into users (user_id, created_at, group_count, membership_rev)
values ('owner', now(), 0, COUNT) on conflict do nothing;
insert into groups (group_id, group_type, owner_id, join_option, invite_option, max_members, member_count, pending_count, seq, created_at)
select 'g' || n, 1, 'owner', 2, 1, 1000000, 1, 0, 1, now() from generate_series(0, COUNT - 1) n;
insert into group_profiles (group_id, name, introduction, notification, face_url, changed_at)
select 'g' || n, 'g', '', '', '', now() from generate_series(0, COUNT - 1) n;
insert into members (group_id, user_id, role, joined_seq, joined_at, name_card, user_rev)
select 'g' || n, 'owner', 3, 1, now(), '', n + 1 from generate_series(0, COUNT - 1) n;
insert into group_events (group_id, seq, kind, at, frame)
select 'g' || n, 1, 1, now(), '{}' from generate_series(0, COUNT - 1) n;
vacuum analyze users, groups, group_profiles, members, group_events;
