//! The outside world, one client per system, all over [`http`]'s bounded threads.

pub mod fetch;
pub mod http;
pub mod image_api;
mod resolver;
pub mod object_storage;
pub mod wechat;
