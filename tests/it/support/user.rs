//! Somebody who is logged in.

use std::sync::Arc;

use poem::http::Method;
use serde_json::{Value, json};

use super::call::{Call, Server};

/// One session of a user.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
    server: Server,
}

impl User {
    /// The session that a login answered.
    pub(super) fn new(server: &Server, login: &Value) -> Self {
        Self {
            id: login["user"]["id"].as_i64().unwrap(),
            token: login["token"].as_str().unwrap().to_owned(),
            refresh_token: login["refreshToken"].as_str().unwrap().to_owned(),
            server: Arc::clone(server),
        }
    }

    pub(crate) fn get(&self, uri: &str) -> Call {
        self.call(Method::GET, uri)
    }

    pub(crate) fn post(&self, uri: &str) -> Call {
        self.call(Method::POST, uri)
    }

    pub(crate) fn delete(&self, uri: &str) -> Call {
        self.call(Method::DELETE, uri)
    }

    pub(crate) fn patch(&self, uri: &str) -> Call {
        self.call(Method::PATCH, uri)
    }

    fn call(&self, method: Method, uri: &str) -> Call {
        Call::new(&self.server, method, uri).token(&self.token)
    }

    /// Asks who he is: works exactly as long as his access token does.
    pub(crate) fn check(&self) -> Call {
        self.get("/v1/auth/check")
    }

    /// Spends his refresh token, as he knows it.
    pub(crate) fn refresh(&self) -> Call {
        let body = json!({ "refreshToken": self.refresh_token });
        Call::new(&self.server, Method::POST, "/v1/auth/refresh-token").json(&body)
    }

    /// The session as it goes on with these tokens.
    pub(crate) fn refreshed(&self, answer: &Value) -> Self {
        Self {
            token: answer["token"].as_str().unwrap().to_owned(),
            refresh_token: answer["refreshToken"].as_str().unwrap().to_owned(),
            ..self.clone()
        }
    }

    /// Submits a generation through the proxy.
    pub(crate) fn generate(&self, body: &Value) -> Call {
        self.post("/v1/proxy/images/generate").json(body)
    }
}
