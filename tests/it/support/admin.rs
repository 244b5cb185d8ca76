//! An administrator who is logged in.

use std::sync::Arc;

use dream_bff::base::rng::Rng;
use poem::http::Method;
use rusqlite::params;
use sha2::{Digest as _, Sha256};

use super::TestApp;
use super::call::{Call, Server};

/// The cookie of a session, as servers under test call it.
pub(crate) const COOKIE: &str = "__Secure-dream_admin";

/// One session of an administrator. It stands in the database without a log-in, which would take a
/// fifth of a second of hashing; how log-ins go is a matter of the tests of `admin`.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) id: i64,
    /// `ROLE-NUMBER`.
    pub(crate) name: String,
    pub(crate) session_id: i64,
    pub(crate) token: String,
    server: Server,
}

impl Admin {
    pub(super) fn new(t: &TestApp, server: &Server, role: &str) -> Self {
        let (database, now) = (t.database(), t.clock.now().0);
        let number: i64 = t.count("SELECT COALESCE(MAX(id), 0) + 1 FROM admins");
        let name = format!("{role}-{number}");
        database
            .execute(
                "INSERT INTO admins (username, role, password_hash, password_at, created_by,
                                     created_at, updated_at)
                 VALUES (?1, ?2, 'none', ?3, 'test', ?3, ?3)",
                params![name, role.to_uppercase(), now],
            )
            .unwrap();
        let id = database.last_insert_rowid();
        let token = Rng::system().token::<32>();
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        database
            .execute(
                "INSERT INTO admin_sessions (admin_id, token_hash, user_agent, created_at, seen_at,
                                             expires_at)
                 VALUES (?1, ?2, 'test', ?3, ?3, ?4)",
                params![id, hash, now, now + 30 * 24 * 3_600_000],
            )
            .unwrap();
        let session_id = database.last_insert_rowid();
        Self { id, name, session_id, token, server: Arc::clone(server) }
    }

    /// The same, having just said again who he is.
    pub(crate) fn stepped_up(self, t: &TestApp) -> Self {
        let until = t.clock.now().0 + 5 * 60_000;
        let statement =
            "UPDATE admin_sessions SET stepped_up_until = ?2 WHERE id = ?1 AND ended_at IS NULL";
        assert_eq!(t.database().execute(statement, params![self.session_id, until]).unwrap(), 1);
        self
    }

    pub(crate) fn get(&self, uri: &str) -> Call {
        self.call(Method::GET, uri)
    }

    pub(crate) fn post(&self, uri: &str) -> Call {
        self.call(Method::POST, uri)
    }

    pub(crate) fn patch(&self, uri: &str) -> Call {
        self.call(Method::PATCH, uri)
    }

    pub(crate) fn delete(&self, uri: &str) -> Call {
        self.call(Method::DELETE, uri)
    }

    /// A request as the page makes it.
    pub(crate) fn call(&self, method: Method, uri: &str) -> Call {
        Call::new(&self.server, method, uri)
            .header("cookie", format!("{COOKIE}={}", self.token))
            .header("sec-fetch-site", "same-origin")
    }
}
