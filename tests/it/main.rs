//! The integration tests: the whole server, a real SQLite file, the sandbox's simulators.
#![expect(clippy::unwrap_used, reason = "a test says what it wants by failing")]

mod support;

mod admin;
mod admin_auth_coverage;
mod auth;
mod auth_coverage;
mod browser;
mod crash;
mod favorites;
mod gallery;
mod generations;
mod idempotency;
mod layering;
mod login;
mod media;
mod messages;
mod moderation;
mod object_storage;
mod openapi;
mod orders;
mod payments;
mod payments_load;
mod points;
mod privacy;
mod process;
mod proxy;
mod push;
mod query_plans;
mod reconciliation;
mod refunds;
mod sandbox_pay;
mod settings;
mod stats;
mod templates;
mod users;
mod vip;
mod weixin;
