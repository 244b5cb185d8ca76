//! The admin page: who reaches it, and how long a log-in lasts.

use clap::Args;
use ipnet::IpNet;

use super::values::network;

/// The admin page.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Admin page")]
pub struct AdminConfig {
    /// Addresses or networks that reach /admin, comma-separated (default: all). For everybody else
    /// there is nothing there.
    #[arg(long, env = "ADMIN_ALLOWED_NETWORKS", value_name = "192.0.2.7,10.0.0.0/8", value_delimiter = ',', value_parser = network)]
    pub admin_allowed_networks: Vec<IpNet>,

    /// How long an administrator may do nothing before he is logged out, in minutes (5–10080).
    #[arg(long, env = "ADMIN_SESSION_IDLE_MINUTES", default_value_t = 120, value_parser = clap::value_parser!(u32).range(5..=10_080))]
    pub admin_session_idle_minutes: u32,

    /// How long a log-in lasts at most, in hours (1–720).
    #[arg(long, env = "ADMIN_SESSION_HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
    pub admin_session_hours: u32,

    /// How long password or code need not be asked for again before money and secrets are touched,
    /// in minutes (0–60; 0 = never ask, which is not advised).
    #[arg(long, env = "ADMIN_STEP_UP_MINUTES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=60))]
    pub admin_step_up_minutes: u32,

    /// Rounds of PBKDF2-HMAC-SHA256 over a password (600000–20000000); older passwords are taken
    /// over when they are next used.
    #[arg(long, env = "ADMIN_PASSWORD_ROUNDS", default_value_t = 600_000, value_parser = clap::value_parser!(u32).range(600_000..=20_000_000))]
    pub admin_password_rounds: u32,
}
