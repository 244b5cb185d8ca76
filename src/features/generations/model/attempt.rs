//! What became of one attempt to have a job made, for whoever looks into a job.

use crate::base::time::UnixMillis;

/// The longest text about an attempt that is kept, in characters.
pub(in crate::features::generations) const MESSAGE_MAX: usize = 300;

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Handing the job in.
    Submit,
    /// Asking about it until it ends there.
    Poll,
    /// Fetching the pictures.
    Fetch,
}

impl Phase {
    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Poll => "poll",
            Self::Fetch => "fetch",
        }
    }

    /// The table's CHECK admits no other text.
    pub(in crate::features::generations) fn from_stored(text: &str) -> Self {
        match text {
            "poll" => Self::Poll,
            "fetch" => Self::Fetch,
            _ => Self::Submit,
        }
    }
}

/// One attempt at one image API, ended. Holds nothing of the user's: see `store::attempts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1.
    pub number: i64,
    pub upstream: String,
    pub phase: Phase,
    pub started_at: UnixMillis,
    pub took_ms: i64,
    /// As jobs fail with; `None`: it worked.
    pub error_code: Option<String>,
    /// Of the last answer that said no, if one came.
    pub http_status: Option<u16>,
    /// What the image API calls the job.
    pub upstream_job_id: Option<String>,
    /// What the image API calls the call that it refused.
    pub upstream_request_id: Option<String>,
    /// What went wrong, in words.
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_comes_back_as_it_went() {
        for phase in [Phase::Submit, Phase::Poll, Phase::Fetch] {
            assert_eq!(Phase::from_stored(phase.as_str()), phase);
        }
    }
}
