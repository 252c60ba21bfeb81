//! What the account commands read.

use super::super::reply::NO_PERMISSION;
use super::*;

fn fields(body: &Value) -> Fields<'_> {
    Fields::new(body.as_object().unwrap())
}

fn code(refusal: &Refusal) -> u32 {
    refusal.code(Family::Accounts, NO_PERMISSION)
}

#[test]
fn a_profile_says_what_changes() {
    let edit = read_profile(&fields(&json!({"Nick": "Bob", "FaceUrl": null}))).unwrap();
    assert_eq!(edit, UserEdit { nick_name: Some("Bob".to_owned()), ..UserEdit::default() });
    assert_eq!(read_profile(&fields(&json!({}))).unwrap(), UserEdit::default());
    for field in ["Nick", "FaceUrl"] {
        assert!(read_profile(&fields(&json!({ field: "x".repeat(500) }))).is_ok());
        let long = json!({ field: "x".repeat(501) });
        assert_eq!(code(&read_profile(&fields(&long)).unwrap_err()), 40_601);
        for wrong in [json!({ field: 7 }), json!({ field: "a\u{0}b" })] {
            assert_eq!(code(&read_profile(&fields(&wrong)).unwrap_err()), 70_402);
        }
    }
}

#[test]
fn many_accounts_are_ids_or_objects_or_both() {
    let body = json!({
        "Accounts": ["a", "b", "a", ""],
        "AccountList": [
            {"UserID": "c", "Nick": "C"},
            {"Identifier": "d"},
            {"UserID": "b", "Nick": "late"},
            {"UserID": "e", "Nick": "x".repeat(501)},
            {"UserID": "x".repeat(33)},
        ],
    });
    let many = read_many(&fields(&body), 32).unwrap();
    let accounts: Vec<(&str, Option<&str>)> = many
        .accounts
        .iter()
        .map(|(user, edit)| (user.as_str(), edit.nick_name.as_deref()))
        .collect();
    assert_eq!(accounts, [("a", None), ("b", None), ("c", Some("C")), ("d", None)]);
    assert_eq!(many.failed, [String::new(), "e".to_owned(), "x".repeat(33)]);
}

#[test]
fn what_names_nobody_or_too_many_is_refused() {
    let hundred: Vec<String> = (0..100).map(|number| format!("u{number}")).collect();
    let items: Vec<Value> = hundred.iter().map(|id| json!({"UserID": id})).collect();
    assert!(read_many(&fields(&json!({"Accounts": hundred})), 32).is_ok());
    assert!(read_many(&fields(&json!({"AccountList": items})), 32).is_ok());
    for wrong in [
        json!({}),
        json!({"Accounts": []}),
        json!({"Accounts": null, "AccountList": []}),
        json!({"Accounts": "a"}),
        json!({"Accounts": [7]}),
        json!({"AccountList": ["a"]}),
        json!({"AccountList": [{}]}),
        json!({"AccountList": [{"UserID": 7}]}),
        json!({"Accounts": hundred, "AccountList": [{"UserID": "x"}]}),
    ] {
        let refusal = read_many(&fields(&wrong), 32).expect_err(&wrong.to_string());
        assert_eq!(code(&refusal), 70_402, "{wrong}");
    }
}
