//! What the product does, a folder per feature. A feature imports only those listed before it.

pub mod auth;
pub mod users;
pub mod login;
pub mod proxy;
