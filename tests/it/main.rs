//! The integration tests: the whole server, a real SQLite file, the sandbox's simulators.

mod support;

mod auth;
mod auth_coverage;
mod layering;
mod login;
mod openapi;
mod process;
mod proxy;
mod users;
