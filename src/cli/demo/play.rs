//! The play: the example of `inviteUserToGroup`, from the first request to the last event.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Person;
use super::print;
use crate::auth::{SecretKey, jwt, usersig};
use crate::config::Config;
use crate::model::{Error, UserId};
use crate::server::Server;

/// How long the demo's tokens hold.
const DAY: u32 = 86_400;

fn user(name: &str, config: &Config) -> anyhow::Result<UserId> {
    Ok(UserId::parse(name, config.limits.user_id_bytes, "user")?)
}

fn token(server: &Server, config: &Config, name: &str) -> anyhow::Result<String> {
    let key = SecretKey::new(server.key().expose());
    let signed = jwt::sign_hs256(&key, &user(name, config)?, chrono::Utc::now(), DAY);
    signed.map_err(|error: Error| anyhow::anyhow!("signing a token: {error}"))
}

/// The first of the configured administrators.
fn administrator(config: &Config) -> anyhow::Result<String> {
    let first = config.admins.first().context("MUSTER_ADMINS names nobody; the demo needs one")?;
    Ok(first.to_string())
}

fn results(data: &Value) -> Vec<(&str, i64)> {
    let lines = data.as_array().map(Vec::as_slice).unwrap_or_default();
    lines
        .iter()
        .filter_map(|line| Some((line["memberID"].as_str()?, line["result"].as_i64()?)))
        .collect()
}

/// Plays everything and checks every step.
pub(super) async fn play(server: &Server, config: &Config) -> anyhow::Result<()> {
    let url = format!("http://{}", server.address());
    let person = |name: &str| -> anyhow::Result<Person> {
        Ok(Person::new(name, &url, token(server, config, name)?))
    };
    let admin = person(&administrator(config)?)?;
    let (mut alice, mut bob, mut carol) = (person("alice")?, person("bob")?, person("carol")?);
    let (mut erin, frank) = (person("erin")?, person("frank")?);

    chapter(
        "Users: carol's account is full, erin wants to be asked, frank wants to be left alone",
    )?;
    admin.ask(Method::PUT, "/v1/users/carol", json!({ "groupLimit": 0 }), 200).await?;
    erin.ask(Method::PUT, "/v1/users/me", json!({ "inviteConsent": "ask" }), 200).await?;
    frank.ask(Method::PUT, "/v1/users/me", json!({ "inviteConsent": "deny" }), 200).await?;

    chapter("A Work group: any member invites")?;
    let group = json!({
        "groupID": "team", "groupType": "Work", "groupName": "The team",
        "memberList": [{ "userID": "dave" }]
    });
    alice.ask(Method::POST, "/v1/groups", group, 201).await?;

    chapter("Websockets of alice, bob, carol and erin are connected; alice invites")?;
    for connected in [&mut alice, &mut bob, &mut carol, &mut erin] {
        connected.connect().await?;
    }
    let invited = json!({ "userList": ["bob", "dave", "carol", "erin", "frank"] });
    let data = alice.ask(Method::POST, "/v1/groups/team/invite", invited, 200).await?;
    let expected = [("bob", 1), ("dave", 2), ("carol", 4), ("erin", 3), ("frank", 0)];
    ensure!(results(&data) == expected, "the results are {data}");
    for hearing in [&mut alice, &mut bob] {
        let event = hearing.hear("onMemberInvited").await?;
        ensure!(event["memberList"] == json!([{ "userID": "bob" }]), "the event is {event}");
    }

    chapter("erin was asked; she accepts, and everybody hears of it")?;
    let asked = erin.hear("onReceiveInvitation").await?;
    let id = asked["application"]["applicationID"].as_str().unwrap_or_default().to_owned();
    erin.ask(Method::POST, &format!("/v1/applications/{id}/accept"), json!({}), 200).await?;
    alice.hear("onApplicationProcessed").await?;
    alice.hear("onMemberInvited").await?;
    bob.hear("onMemberInvited").await?;
    second_act(&admin, &mut alice, &mut bob).await?;

    for person in [alice, bob, carol, erin] {
        person.leave().await;
    }
    Ok(())
}

async fn second_act(admin: &Person, alice: &mut Person, bob: &mut Person) -> anyhow::Result<()> {
    chapter("A Meeting: only an app administrator invites, not even the owner")?;
    let meeting =
        json!({ "groupID": "townhall", "groupType": "Meeting", "groupName": "Town hall" });
    alice.ask(Method::POST, "/v1/groups", meeting, 201).await?;
    alice.hear("onGroupCreated").await?;
    let invited = json!({ "userList": ["bob"] });
    let path = "/v1/groups/townhall/invite";
    alice.ask(Method::POST, path, invited.clone(), 403).await?;
    let data = admin.ask(Method::POST, path, invited, 200).await?;
    ensure!(results(&data) == [("bob", 1)], "the results are {data}");
    alice.hear("onMemberInvited").await?;
    bob.hear("onMemberInvited").await?;
    print("\nEverything answered as it should.\n")
}

fn chapter(title: &str) -> anyhow::Result<()> {
    print(&format!("\n--- {title}\n"))
}

/// Lines to paste.
pub(super) fn paste(server: &Server, config: &Config) -> anyhow::Result<String> {
    let url = format!("http://{}", server.address());
    let admin = administrator(config)?;
    let alice = token(server, config, "alice")?;
    let admin_token = token(server, config, &admin)?;
    let key = SecretKey::new(server.key().expose());
    let app = config.app_id;
    let usersig = usersig::sign(&key, app, &user(&admin, config)?, chrono::Utc::now(), DAY, None)
        .map_err(|error| anyhow::anyhow!("signing a token: {error}"))?;
    Ok(format!(
        r#"
Still serving at {url} (health and metrics at http://{ops}). Ctrl-C ends it and removes its data.

  ALICE={alice}
  ADMIN={admin_token}

  # alice invites into her group
  curl -s {url}/v1/groups/team/invite -H "Authorization: Bearer $ALICE" -d '{{"userList": ["grace"]}}'

  # its members, and its log from the first event on
  curl -s {url}/v1/groups/team/members -H "Authorization: Bearer $ALICE"
  curl -s {url}/v1/groups/team/events  -H "Authorization: Bearer $ALICE"

  # what would happen, without doing it
  curl -s "{url}/v1/groups/townhall/invite?dryRun=true" -H "Authorization: Bearer $ADMIN" -d '{{"userList": ["carol", "heidi"]}}'

  # the same server, spoken to as Tencent IM
  curl -s "{url}/v4/group_open_http_svc/add_group_member?sdkappid={app}&identifier={admin}&usersig={usersig}&random=1&contenttype=json" -d '{{"GroupId": "townhall", "MemberList": [{{"Member_Account": "heidi"}}]}}'

"#,
        ops = server.ops_address(),
    ))
}
