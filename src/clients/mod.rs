//! The outside world, one client per system, all over [`http`]'s bounded threads.

pub mod acme;
pub mod call_stats;
pub mod fetch;
pub mod hook;
pub mod http;
pub mod image_api;
pub mod object_storage;
mod onlooker;
pub mod own_server;
pub mod probe;
mod resolver;
mod threads;
pub mod wechat;
pub mod wechat_pay;
