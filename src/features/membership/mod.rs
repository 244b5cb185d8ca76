//! What the caller's membership is and gives: joins **vip** with the quota of **generations**, which
//! do not know each other. Owns nothing and changes nothing.

mod api;
mod model;
mod service;

pub use api::MembershipApi;
