//! Ids that the server makes, for both faces.

use crate::model::{GroupId, GroupType};

/// RFC 4648 base32: upper case and digits, so that an id survives being read aloud or sorted.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Random characters of an id, five bits each: 100 bits, so that no id is made twice or guessed.
const RANDOM_CHARS: usize = 20;

/// What an id of this type begins with (`tencent-im.md` 1.7); no client may choose such an id.
const fn prefix(group_type: GroupType) -> &'static str {
    match group_type {
        GroupType::Work => "@TGS#1",
        GroupType::Public => "@TGS#2",
        GroupType::Meeting => "@TGS#3",
        GroupType::AVChatRoom => "@TGS#a",
        GroupType::Community => "@TGS#_@TGS#c",
    }
}

/// A new group's id, for a caller who chose none.
#[must_use]
pub fn new_group_id(group_type: GroupType) -> GroupId {
    let mut text = String::from(prefix(group_type));
    let mut bits: u128 = rand::random();
    for _ in 0..RANDOM_CHARS {
        let [low, ..] = bits.to_le_bytes();
        text.push(char::from(ALPHABET[usize::from(low & 31)]));
        bits >>= 5;
    }
    GroupId::from_stored(&text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::id::GROUP_ID_BYTES;

    #[test]
    fn an_id_tells_its_type_and_is_possible() {
        for (group_type, start) in [
            (GroupType::Work, "@TGS#1"),
            (GroupType::Public, "@TGS#2"),
            (GroupType::Meeting, "@TGS#3"),
            (GroupType::AVChatRoom, "@TGS#a"),
            (GroupType::Community, "@TGS#_@TGS#c"),
        ] {
            let id = new_group_id(group_type);
            let random = id.as_str().strip_prefix(start).expect(start);
            assert_eq!(random.len(), RANDOM_CHARS, "{id}");
            assert!(random.bytes().all(|byte| ALPHABET.contains(&byte)), "{id}");
            assert!(id.as_str().len() <= GROUP_ID_BYTES);
            assert_eq!(GroupId::parse(id.as_str(), "groupID").as_ref(), Ok(&id));
        }
    }

    #[test]
    fn a_client_can_choose_no_such_id_but_for_a_community() {
        for group_type in GroupType::ALL {
            let chosen = new_group_id(*group_type).check_choice(false, "groupID");
            assert!(chosen.is_err(), "{group_type:?}");
        }
    }

    #[test]
    fn no_two_are_alike_and_every_character_occurs() {
        let ids: BTreeSet<GroupId> = (0..2_000).map(|_| new_group_id(GroupType::Work)).collect();
        assert_eq!(ids.len(), 2_000);
        let start = prefix(GroupType::Work).len();
        for place in 0..RANDOM_CHARS {
            let seen: BTreeSet<u8> =
                ids.iter().map(|id| id.as_str().as_bytes()[start + place]).collect();
            assert_eq!(seen.len(), 32, "place {place}");
        }
    }
}
