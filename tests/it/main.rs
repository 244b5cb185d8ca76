//! The integration tests: the whole server, a real SQLite file, the sandbox's simulators.
#![expect(clippy::unwrap_used, reason = "a test says what it wants by failing")]

mod support;

mod auth;
mod auth_coverage;
mod crash;
mod favorites;
mod gallery;
mod generations;
mod idempotency;
mod layering;
mod login;
mod media;
mod object_storage;
mod openapi;
mod orders;
mod payments;
mod points;
mod process;
mod proxy;
mod push;
mod query_plans;
mod sandbox_pay;
mod settings;
mod users;
mod vip;
mod weixin;
