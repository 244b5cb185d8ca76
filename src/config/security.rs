//! Secrets of our own.

use clap::Args;

use crate::base::secret::Secret;

/// HS256 is as strong as its key; below the size of the hash it is weaker than it need be.
pub const MIN_JWT_SECRET_BYTES: usize = 32;

/// Shorter tokens can be guessed.
pub const MIN_METRICS_TOKEN_BYTES: usize = 16;

/// Secrets of our own.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Security")]
pub struct SecurityConfig {
    /// Signs access tokens and, by derivation, encrypts what is kept encrypted; at least 32 bytes.
    #[arg(
        long,
        env = "JWT_SECRET",
        value_name = "$(openssl rand -base64 48)",
        hide_env_values = true
    )]
    pub jwt_secret: Option<Secret<String>>,

    /// The secret before a rotation: still accepted, never used for anything new.
    #[arg(
        long,
        env = "JWT_SECRET_PREVIOUS",
        value_name = "the-old-JWT_SECRET",
        hide_env_values = true
    )]
    pub jwt_secret_previous: Option<Secret<String>>,

    /// Lets whoever sends it as a bearer token read /metrics; at least 16 bytes. Without it they are
    /// answered to this machine alone.
    #[arg(
        long,
        env = "METRICS_TOKEN",
        value_name = "$(openssl rand -hex 24)",
        hide_env_values = true
    )]
    pub metrics_token: Option<Secret<String>>,
}
