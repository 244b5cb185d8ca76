//! The harness: the whole server with a real SQLite file and simulators on loopback.
//!
//! [`TestApp`] is the server in this process, with a clock that is moved by hand; [`Process`] is
//! the real binary. Nothing is shared between tests, so they run in any order and all at once.

mod admin;
mod answer;
mod app;
mod call;
mod money;
mod process;
mod settings;
mod tls;
mod token;
mod upstream;
mod user;
mod wire;

pub(crate) use admin::{Admin, COOKIE};
pub(crate) use answer::Answer;
pub(crate) use app::TestApp;
pub(crate) use process::{Process, command, signal};
pub(crate) use settings::JWT_SECRET;
pub(crate) use tls::Authority;
pub(crate) use token::Forged;
pub(crate) use upstream::{Reaction, Upstream};
pub(crate) use user::User;
pub(crate) use wire::{Wire, address_that_refuses, request};

use std::time::Duration;

use dream_bff::base::bilingual::Bilingual;
use dream_bff::base::clock::Stopwatch;

/// How long anything may take on a busy machine before a test calls it hung.
const PATIENCE: Duration = Duration::from_secs(20);

/// It is said in Chinese, and otherwise in English; what WeChat has said is Chinese in both.
#[track_caller]
pub(crate) fn speaks_both(text: &Bilingual) {
    let is_cjk = |character| ('\u{4e00}'..='\u{9fff}').contains(&character);
    assert!(text.zh.contains(is_cjk), "no Chinese: {text:?}");
    let is_latin = |character: char| character.is_ascii_alphabetic();
    assert!(text.en != text.zh && text.en.contains(is_latin), "no English: {text:?}");
}

/// Waits until `is_so`, looking often. For what happens outside this process or in another task;
/// rules never wait.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let from = std::panic::Location::caller();
    async move {
        let mut is_so = is_so;
        let waiting = Stopwatch::start();
        while !is_so() {
            assert!(waiting.elapsed() < PATIENCE, "{from}: waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
