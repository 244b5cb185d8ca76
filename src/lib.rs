//! `dream-bff`: the whole backend of a WeChat mini-program for AI images, as one binary.
//!
//! Imports run one way, top to bottom (checked by `tests/it/layering.rs`):
//!
//! | module | what it is |
//! |---|---|
//! | [`cli`] | one file per sub-command; starts everything |
//! | [`server`] | sockets, accept loop, middleware, error rendering, health, shutdown |
//! | [`sandbox`] | simulators of WeChat and the image API; imports `base` only |
//! | [`features`] | what the product does, a folder per feature: api → service → store, model |
//! | [`http`] | the vocabulary of handlers: errors, bodies, client address |
//! | [`app`] | everything long-lived, built once |
//! | [`clients`] | WeChat and the image API, over bounded threads |
//! | [`db`] | SQLite: writer with group commit, readers, migrations |
//! | [`config`] | flags = environment = `.env` |
//! | [`base`] | clock, randomness, ids, secrets |

pub mod app;
pub mod base;
pub mod cli;
pub mod clients;
pub mod config;
pub mod db;
pub mod features;
pub mod http;
pub mod sandbox;
