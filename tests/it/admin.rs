//! Administrators: logging in, second factor, step-up, lock-out, sessions, the first owner.

mod accounts;
mod backups;
mod find;
mod home;
mod limits;
mod page;
mod second_factor;
mod sessions;
mod system;
mod watch;

use poem::http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, COOKIE, TestApp};

pub(crate) const PASSWORD: &str = "correct horse battery";

const LOGIN: &str = "/admin/api/session/login";

/// A request as the page makes it before anybody is logged in.
async fn ask(t: &TestApp, path: &str, body: &Value) -> Answer {
    t.post(path).header("sec-fetch-site", "same-origin").json(body).await
}

async fn log_in(t: &TestApp, name: &str, password: &str) -> Answer {
    ask(t, LOGIN, &json!({ "username": name, "password": password })).await
}

/// The token in the cookie that an answer sets.
#[track_caller]
fn cookie(answer: &Answer) -> String {
    let line = answer.header("set-cookie").unwrap();
    let rest = line.strip_prefix(COOKIE).unwrap().strip_prefix('=').unwrap();
    rest.split(';').next().unwrap().to_owned()
}

/// A request with this session, as the page makes it.
async fn with(t: &TestApp, token: &str, method: Method, path: &str, body: &Value) -> Answer {
    let call = t
        .call(method, path)
        .header("cookie", format!("{COOKIE}={token}"))
        .header("sec-fetch-site", "same-origin");
    if body.is_null() { call.await } else { call.json(body).await }
}

/// An owner with [`PASSWORD`], made by the link.
async fn owner(t: &TestApp, name: &str) -> String {
    let link = dream_bff::features::admin::service::setup::link(&t.app()).await.unwrap().unwrap();
    let body = json!({ "token": link.expose(), "username": name, "password": PASSWORD });
    let answer = ask(t, "/admin/api/setup", &body).await;
    answer.ok();
    cookie(&answer)
}
