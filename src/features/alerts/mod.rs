//! Alerts: the operator hears of what is wrong where he reads anyway (a WeCom group, a Feishu group, any
//! webhook), once when it begins, again while it goes on, and once when it is over.
//!
//! Owns `alert_states`: a row for each rule that ever saw a problem. A restart neither repeats what was told
//! nor loses what has still to be.
//!
//! Guarantees: looking and telling never hold up a request; a hook that does not answer costs its
//! timeout and nothing more; there are never more messages in an hour than the settings allow, and of one
//! rule not more than one beginning in ten minutes, however it flickers. Addresses and secrets of hooks
//! are in no log, no error and no answer.

mod model;
pub mod service;
mod store;

pub use model::{AlertError, AlertState, ChannelStatus, Rule, Tried};
