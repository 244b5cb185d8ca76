//! The server calls that no login needs; each stands in a file of its own.

use std::sync::Arc;

use serde::Deserialize;

use super::connection::Connection;

/// The client of `api.weixin.qq.com` for everything but logging in and payment. Clones share the line.
#[derive(Clone)]
pub struct Weixin {
    pub(super) connection: Arc<Connection>,
}

impl Weixin {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }
}

/// An answer of which only the `errcode` counts.
#[derive(Deserialize)]
pub(super) struct Done {}
