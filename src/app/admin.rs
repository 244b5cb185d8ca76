//! What the configuration says about administrators, and the threads their passwords are checked on.

use std::io;

use crate::base::cpu_pool::CpuPool;
use crate::config::Config;

/// Passwords checked at once: each takes a core for a fifth of a second, and users go first.
const PASSWORD_THREADS: usize = 1;

/// Passwords that wait to be checked; more would wait longer than anybody does.
const PASSWORD_QUEUE: usize = 16;

/// How administrators log in.
pub struct AdminAccess {
    /// Where passwords are hashed.
    pub passwords: CpuPool,
    /// Rounds for new hashes.
    pub password_rounds: u32,
    /// How long a session may rest, in milliseconds.
    pub idle_ms: i64,
    /// How long a session lasts, in milliseconds.
    pub lifetime_ms: i64,
    /// How long a step-up holds, in milliseconds; 0 when none is asked for.
    pub step_up_ms: i64,
    /// The address of the page, without a slash at the end.
    pub origin: String,
    /// Whether browsers are to send the cookie over https only.
    pub is_cookie_secure: bool,
}

impl AdminAccess {
    /// # Errors
    /// When the operating system refuses the threads.
    pub(super) fn open(config: &Config) -> io::Result<Self> {
        let admin = &config.admin;
        let public_url = config.http.public_url();
        Ok(Self {
            passwords: CpuPool::new("password", PASSWORD_THREADS, PASSWORD_QUEUE)?,
            password_rounds: admin.admin_password_rounds,
            idle_ms: i64::from(admin.admin_session_idle_minutes) * 60_000,
            lifetime_ms: i64::from(admin.admin_session_hours) * 3_600_000,
            step_up_ms: i64::from(admin.admin_step_up_minutes) * 60_000,
            is_cookie_secure: !is_http_on_this_machine(&public_url),
            origin: origin_of(&public_url),
        })
    }
}

/// Scheme, host and port, as browsers send it.
fn origin_of(url: &str) -> String {
    let parsed = url::Url::parse(url);
    parsed.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// Whether a browser on this machine talks to `url` without https: it would not send back a cookie that
/// is for https only.
fn is_http_on_this_machine(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && is_here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_on_this_machine_goes_without_a_secure_cookie() {
        for here in ["http://127.0.0.1:3000", "http://localhost", "http://[::1]:4100"] {
            assert!(is_http_on_this_machine(here), "{here}");
        }
        for there in [
            "https://127.0.0.1",
            "https://api.example.com",
            "http://0.0.0.0:3000",
            "http://10.0.0.1",
            "http://localhost.example.com",
        ] {
            assert!(!is_http_on_this_machine(there), "{there}");
        }
    }

    #[test]
    fn an_origin_is_what_browsers_send() {
        assert_eq!(origin_of("https://API.example.com/base"), "https://api.example.com");
        assert_eq!(origin_of("https://api.example.com:443"), "https://api.example.com");
        assert_eq!(origin_of("http://127.0.0.1:3000"), "http://127.0.0.1:3000");
    }
}
