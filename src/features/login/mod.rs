//! Logging in: from a code of `wx.login` to a user with a session.
//!
//! One transaction finds or makes the user, gives a new one the sign-up bonus and notes who brought
//! him, and begins the session, so there is never a user without the other parts. Somebody whose account
//! was deleted is a new user without a second welcome. A login that fails changes nothing here (the code
//! is spent at WeChat all the same).

mod api;
mod model;
mod service;

pub use api::LoginApi;
