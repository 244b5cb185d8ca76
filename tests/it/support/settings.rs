//! The settings of a server under test, named as an operator names them.

use std::collections::BTreeMap;

use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use dream_bff::config::Config;
use dream_bff::sandbox::{Sandbox, WechatSim};

/// Signs the tokens of the servers under test.
pub(crate) const JWT_SECRET: &str = "a-secret-of-the-tests-0123456789";

/// Settings by the name of their variable.
#[derive(Clone, Debug)]
pub(super) struct Settings(pub(super) BTreeMap<String, String>);

impl Settings {
    /// Complete settings of a server whose outside world is `sandbox`.
    pub(super) fn of(sandbox: &Sandbox) -> Self {
        let mut settings = Self(BTreeMap::new());
        settings.set("JWT_SECRET", JWT_SECRET);
        settings.set("WECHAT_APPID", WechatSim::APPID);
        settings.set("WECHAT_SECRET", WechatSim::SECRET);
        settings.set("WECHAT_API_BASE", &sandbox.wechat().base());
        settings.set("IMAGE_API_BASE", &sandbox.image_api().base());
        settings.set("IMAGE_API_KEY", sandbox.image_api().api_key());
        settings
    }

    /// Sets a variable; an empty value means that it is not set, as in `.env`.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        match value {
            "" => self.0.remove(name),
            _ => self.0.insert(name.to_owned(), value.to_owned()),
        };
    }

    /// What the server makes of them. This process's own environment has no say.
    pub(super) fn config(&self) -> Config {
        #[derive(Parser)]
        struct Flags {
            #[command(flatten)]
            config: Config,
        }
        let command = Flags::command().mut_args(|arg| arg.env(Resettable::Reset));
        let flags = self.0.iter().map(|(name, value)| {
            format!("--{}={value}", name.to_ascii_lowercase().replace('_', "-"))
        });
        let matches = command.get_matches_from(std::iter::once("test".to_owned()).chain(flags));
        Flags::from_arg_matches(&matches).unwrap().config
    }
}
