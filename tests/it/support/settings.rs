//! The settings of a server under test, named as an operator names them.

use std::collections::BTreeMap;
use std::path::Path;

use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use dream_bff::config::Config;
use dream_bff::sandbox::{MessagePush, Sandbox, VirtualPaymentSim, WechatPaySim, WechatSim};

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
        // Backups are made where a test is about them.
        settings.set("BACKUP_HOURS", "0");
        settings
    }

    /// Both payment channels and message push, with the keys as files in `folder`.
    pub(super) fn set_payment(&mut self, sandbox: &Sandbox, folder: &Path) {
        let pay = sandbox.wechat_pay();
        let mut file = |variable: &str, name: &str, pem: &str| {
            let path = folder.join(name);
            std::fs::write(&path, pem).unwrap();
            self.set(variable, path.to_str().unwrap());
        };
        file("WECHAT_PAY_PRIVATE_KEY_PATH", "apiclient_key.pem", pay.merchant_private_key_pem());
        file("WECHAT_PAY_PUBLIC_KEY_PATH", "pub_key.pem", pay.public_key_pem());
        self.set("WECHAT_PAY_BASE", &pay.base());
        self.set("WECHAT_PAY_MCHID", WechatPaySim::MCHID);
        self.set("WECHAT_PAY_SERIAL_NO", pay.merchant_serial());
        self.set("WECHAT_PAY_APIV3_KEY", WechatPaySim::APIV3_KEY);
        self.set("WECHAT_PAY_PUBLIC_KEY_ID", pay.public_key_id());
        self.set("WECHAT_VIRTUAL_PAY_OFFER_ID", VirtualPaymentSim::OFFER_ID);
        self.set("WECHAT_VIRTUAL_PAY_APP_KEY", VirtualPaymentSim::APP_KEY);
        self.set("WECHAT_PUSH_TOKEN", MessagePush::TOKEN);
        self.set("WECHAT_PUSH_AES_KEY", MessagePush::AES_KEY);
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
