//! The outside world on loopback: simulators of WeChat, WeChat Pay and the image API.
//!
//! `serve --sandbox` and the integration tests talk to them over real HTTP through the code used in
//! production. They share no signing or parsing code with the clients, else one mistake would pass
//! on both sides; so nothing here imports anything of ours but `base`.
//!
//! Everything is bounded: journals, jobs, codes, sessions, drawn pictures, connections, bodies.

mod beijing;
mod control;
mod crypto;
mod image_api;
mod journal;
mod listener;
mod message_push;
mod outbox;
mod picture;
mod plan;
mod tasks;
#[cfg(test)]
mod testing;
mod virtual_payment;
mod wechat;
mod wechat_pay;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub use self::image_api::{ImageApiSim, JobView, Outcome, Status, Webhook};
pub use self::journal::{Journal, Recorded};
pub use self::message_push::{MessagePush, PushDelivery, PushFormat};
pub use self::outbox::Delivered;
pub use self::plan::{Fault, Faults, Plan, PlanView};
pub use self::virtual_payment::VirtualRefusal;
pub use self::virtual_payment::{Platform, VirtualOrder, VirtualPaymentSim, VirtualRefundOutcome};
pub use self::wechat::{Moderation, PictureVerdict, SentMessage, Shipped, Suggest, WechatCall};
pub use self::wechat::{WechatSim, Word};
pub use self::wechat_pay::{BillEdit, Delivery, Paid, PayCall, PayOrder, PayRefund, RefundOutcome};
pub use self::wechat_pay::{RefundStatus, Rotation, TradeState, Trust, WechatPaySim};

use self::image_api::Limits;
use sha2::{Digest as _, Sha256};

use self::outbox::Outbox;
use self::tasks::Tasks;
use crate::base::clock::Clock;
use crate::base::rng::Rng;

/// A picture as the simulated image API draws it for this prompt, as PNG: the same bytes each time.
///
/// # Errors
/// When it cannot be encoded, as with a side of 0.
pub fn draw(prompt: &str, width: u32, height: u32) -> io::Result<Vec<u8>> {
    let seed: [u8; 32] = Sha256::digest(prompt).into();
    picture::draw(prompt, &seed, width, height).map_err(io::Error::other)
}

/// How long [`Sandbox::stop`] waits for open connections.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// What a sandbox starts with. Everything but the address can be changed while it runs.
#[derive(Clone, Debug)]
pub struct SandboxSettings {
    /// Where the simulators listen, each on a free port.
    pub listen_ip: IpAddr,
    /// How long a picture takes; zero ends a job before its submission is answered.
    pub image_latency: Duration,
    /// Submissions a minute and key; 0 is no limit.
    pub image_rate_per_minute: u32,
    /// Unfinished jobs of a key; 0 is no limit.
    pub image_concurrency: u32,
    /// Whether the image API takes any bearer text for a key.
    pub accept_any_key: bool,
    /// Where ended jobs are announced.
    pub webhook: Option<Webhook>,
    /// Where WeChat pushes its events.
    pub push_url: Option<String>,
    /// Whether notifications and pushes leave by themselves when they are due. Otherwise
    /// [`Sandbox::deliver_due`] sends them.
    pub deliver: bool,
}

impl Default for SandboxSettings {
    /// The limits of the real image API, and two seconds for a picture.
    fn default() -> Self {
        Self {
            listen_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            image_latency: Duration::from_secs(2),
            image_rate_per_minute: 60,
            image_concurrency: 5,
            accept_any_key: false,
            webhook: None,
            push_url: None,
            deliver: true,
        }
    }
}

/// The running simulators. They end when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    wechat: Arc<WechatSim>,
    wechat_pay: Arc<WechatPaySim>,
    outbox: Arc<Outbox>,
    image_api: Arc<ImageApiSim>,
    tasks: Tasks,
}

impl Sandbox {
    /// Where the server mounts [`Sandbox::control_routes`]; the page's links say so.
    pub const CONTROL_PATH: &'static str = "/_sandbox";

    /// Starts the simulators on the current runtime.
    ///
    /// # Errors
    /// When no port can be bound, or no key made.
    pub async fn start(settings: SandboxSettings, clock: Clock, rng: Rng) -> io::Result<Self> {
        let tasks = Tasks::default();
        let outbox = Arc::new(Outbox::new(clock.clone()));
        if settings.deliver {
            outbox.run(&tasks);
        }
        let (listener, address) = listener::bind(settings.listen_ip).await?;
        let wechat_pay =
            WechatPaySim::new(address, clock.clone(), rng.clone(), Arc::clone(&outbox));
        let wechat_pay = Arc::new(wechat_pay.map_err(io::Error::other)?);
        listener::serve(listener, Arc::clone(&wechat_pay), clock.clone(), &tasks);

        let (listener, address) = listener::bind(settings.listen_ip).await?;
        let (url, post) = (settings.push_url, Arc::clone(&outbox));
        let push = Arc::new(MessagePush::new(url, clock.clone(), rng.clone(), post));
        let (pay, chance) = (Arc::clone(&wechat_pay), rng.clone());
        let wechat = Arc::new(WechatSim::new(address, push, pay, clock.clone(), chance));
        listener::serve(listener, Arc::clone(&wechat), clock.clone(), &tasks);

        let (listener, address) = listener::bind(settings.listen_ip).await?;
        let limits = Limits {
            latency: settings.image_latency,
            rate_per_minute: settings.image_rate_per_minute,
            concurrency: settings.image_concurrency,
            accept_any_key: settings.accept_any_key,
            webhook: settings.webhook,
        };
        let image_api = ImageApiSim::new(address, limits, clock.clone(), rng, tasks.clone());
        listener::serve(listener, Arc::clone(&image_api), clock, &tasks);
        Ok(Self { wechat, wechat_pay, outbox, image_api, tasks })
    }

    /// The simulated WeChat.
    pub fn wechat(&self) -> &WechatSim {
        &self.wechat
    }

    /// The simulated WeChat Pay.
    pub fn wechat_pay(&self) -> &WechatPaySim {
        &self.wechat_pay
    }

    /// Sends the notifications and pushes that are due, all at once, and those that come due by that;
    /// waits for the answers.
    pub async fn deliver_due(&self) {
        self.outbox.deliver_due().await;
    }

    /// The last attempts to deliver something, oldest first.
    pub fn delivered(&self) -> Vec<Delivered> {
        self.outbox.delivered()
    }

    /// Notifications and pushes that were not accepted yet, due or not.
    pub fn undelivered(&self) -> usize {
        self.outbox.waiting()
    }

    /// Sends notifications and pushes to this address, whatever host they are for.
    pub fn deliver_to(&self, address: Option<SocketAddr>) {
        self.outbox.redirect(address);
    }

    /// Divides the pauses between attempts; 1 is real time.
    pub fn set_delivery_speed(&self, speed: u32) {
        self.outbox.set_speed(speed);
    }

    /// Forgets what was not delivered.
    pub fn drop_undelivered(&self) {
        self.outbox.clear();
    }

    /// The simulated image API.
    pub fn image_api(&self) -> &ImageApiSim {
        &self.image_api
    }

    /// The control pages, to be mounted at [`Sandbox::CONTROL_PATH`] of a server that only this
    /// machine reaches: it has no log-in.
    pub fn control_routes(&self) -> poem::Route {
        control::routes(control::Control {
            wechat: Arc::clone(&self.wechat),
            wechat_pay: Arc::clone(&self.wechat_pay),
            outbox: Arc::clone(&self.outbox),
            image_api: Arc::clone(&self.image_api),
        })
    }

    /// Ends the simulators, cutting open connections, and waits until they are gone.
    pub async fn stop(self) {
        self.tasks.stop();
        self.tasks.wait(STOP_LIMIT).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}
