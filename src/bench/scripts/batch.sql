\set group random(0, GROUPS)
\set user random(1, 1000000000000)
with g as materialized (
    select group_id, seq from groups
     where group_id = 'g' || :group and dismissed_at is null and member_count + SIZE <= max_members
       and exists (select from members where group_id = 'g' || :group and user_id = 'owner' and left_seq is null)
       for no key update
), n as (
    select 'p' || :user || '_' || number as user_id, g.group_id from generate_series(1, SIZE) number, g
), free as materialized (
    select user_id from n
     where not exists (select from members m where m.group_id = n.group_id and m.user_id = n.user_id and m.left_seq is null)
       and not exists (select from bans b where b.group_id = n.group_id and b.user_id = n.user_id)
), u as (
    insert into users as x (user_id, created_at, group_count, membership_rev)
    select user_id, now(), 1, 1 from free
     order by user_id collate "C"
        on conflict (user_id) do update
       set group_count = x.group_count + 1, membership_rev = x.membership_rev + 1
     where x.group_count < coalesce(x.group_limit, 1000)
    returning user_id
), m as (
    insert into members (group_id, user_id, role, joined_seq, joined_at, name_card, user_rev)
    select g.group_id, u.user_id, 1, g.seq + 1, now(), '', 1 from u, g
        on conflict (group_id, user_id) do update
       set role = 1, joined_seq = excluded.joined_seq, left_seq = null, joined_at = excluded.joined_at
    returning user_id
), c as (
    update groups set member_count = member_count + (select count(*) from m), seq = groups.seq + 1
      from g where groups.group_id = g.group_id
    returning groups.group_id, groups.seq
)
insert into group_events (group_id, seq, kind, at, frame)
select c.group_id, c.seq, 2, now(),
       (select json_build_object('type', 'event', 'memberList', json_agg(json_build_object('userID', m.user_id)))::text from m)
  from c;
