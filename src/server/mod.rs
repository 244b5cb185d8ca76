//! Everything between the socket and the handlers: accept loop, middleware, errors, shutdown.
//!
//! [`serve`] owns the sockets; [`Stack`] wraps the routes in what every answer needs.

mod accept;
mod access_log;
mod admin_files;
mod body_limit;
mod client_io;
mod compression;
mod health;
mod paths;
mod render;
mod request_id;
mod routes;
pub mod shutdown;
mod stack;

pub use accept::{AcceptSettings, bind, serve};
pub use paths::PathTable;
pub use routes::{accept_settings, endpoint};
pub use stack::{Stack, StackSettings};
