//! What an attempt is doing, so that whoever ends the job can note how far it came.

use parking_lot::Mutex;

use crate::base::clock::Stopwatch;
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::clients::image_api::{UpstreamCode, UpstreamError};
use crate::features::generations::model::{Attempt, MESSAGE_MAX, Phase};

/// The attempt under way, if any.
#[derive(Default)]
pub(super) struct Record(Mutex<Option<Open>>);

struct Open {
    attempt: Attempt,
    since: Stopwatch,
}

impl Record {
    /// An attempt begins; with the name of a job that is there already, by asking about it.
    pub(super) fn begin(
        &self,
        number: u32,
        upstream: &str,
        upstream_job: Option<&str>,
        now: UnixMillis,
    ) {
        let attempt = Attempt {
            number: i64::from(number),
            upstream: upstream.to_owned(),
            phase: if upstream_job.is_some() { Phase::Poll } else { Phase::Submit },
            started_at: now,
            took_ms: 0,
            error_code: None,
            http_status: None,
            upstream_job_id: upstream_job.map(str::to_owned),
            upstream_request_id: None,
            message: None,
        };
        *self.0.lock() = Some(Open { attempt, since: Stopwatch::start() });
    }

    /// The image API has taken the job.
    pub(super) fn taken(&self, upstream_job: &str) {
        self.change(|attempt| {
            attempt.phase = Phase::Poll;
            attempt.upstream_job_id = Some(upstream_job.to_owned());
        });
    }

    /// The image API has answered as it should: what went wrong before was waited out.
    pub(super) fn heard(&self) {
        self.change(forgive);
    }

    /// The image API has made the pictures.
    pub(super) fn made(&self) {
        self.change(|attempt| attempt.phase = Phase::Fetch);
    }

    /// A call has failed, perhaps not the last. What an image API says of the request itself goes to its
    /// owner, with the job, and not here.
    pub(super) fn failed(&self, err: &UpstreamError) {
        self.change(|attempt| {
            attempt.http_status = err.http_status();
            attempt.upstream_request_id = err.request_id().map(str::to_owned);
            attempt.message = match err.code() {
                UpstreamCode::Rejected(_) => None,
                UpstreamCode::Provider | UpstreamCode::Timeout => Some(short(&error_chain(err))),
            };
        });
    }

    /// In words of ours.
    pub(super) fn remark(&self, text: &str) {
        self.change(|attempt| attempt.message = Some(short(text)));
    }

    /// The attempt as it ends now, with the code of its failure; it is not under way any more.
    pub(super) fn end(&self, error_code: Option<&str>) -> Option<Attempt> {
        let open = self.0.lock().take()?;
        Some(open.ended(error_code))
    }

    /// The same of one that goes on: its time is over, and what it makes may still come.
    pub(super) fn overdue(&self, error_code: &str) -> Option<Attempt> {
        self.0.lock().as_ref().map(|open| open.ended(Some(error_code)))
    }

    fn change(&self, change: impl FnOnce(&mut Attempt)) {
        if let Some(open) = &mut *self.0.lock() {
            change(&mut open.attempt);
        }
    }
}

impl Open {
    fn ended(&self, error_code: Option<&str>) -> Attempt {
        let mut attempt = self.attempt.clone();
        attempt.took_ms = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        attempt.error_code = error_code.map(str::to_owned);
        if error_code.is_none() {
            forgive(&mut attempt);
        }
        attempt
    }
}

fn forgive(attempt: &mut Attempt) {
    attempt.http_status = None;
    attempt.upstream_request_id = None;
    attempt.message = None;
}

fn short(text: &str) -> String {
    text.chars().take(MESSAGE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Record {
        let record = Record::default();
        record.begin(2, "main", None, UnixMillis(5));
        record
    }

    #[test]
    fn an_attempt_ends_once_with_how_far_it_came() {
        let record = begun();
        record.taken("there-1");
        record.remark(&"字".repeat(1000));
        let late = record.overdue("PROVIDER_TIMEOUT").unwrap();
        assert_eq!(
            (late.phase, late.error_code.as_deref()),
            (Phase::Poll, Some("PROVIDER_TIMEOUT"))
        );
        assert_eq!(late.message.unwrap().chars().count(), MESSAGE_MAX);
        record.heard();
        assert_eq!(record.overdue("PROVIDER_TIMEOUT").unwrap().message, None, "it was waited out");
        record.remark("not fetched");
        record.made();
        let ended = record.end(None).unwrap();
        assert_eq!((ended.number, ended.phase, ended.started_at), (2, Phase::Fetch, UnixMillis(5)));
        assert_eq!((ended.error_code, ended.message), (None, None), "it worked in the end");
        assert_eq!(ended.upstream_job_id.as_deref(), Some("there-1"));
        assert_eq!(record.end(Some("PROVIDER_ERROR")), None);
    }

    #[test]
    fn an_attempt_that_goes_on_begins_with_asking() {
        let record = Record::default();
        record.begin(1, "main", Some("there-1"), UnixMillis(5));
        let ended = record.end(Some("PROVIDER_ERROR")).unwrap();
        assert_eq!((ended.phase, ended.upstream_job_id.as_deref()), (Phase::Poll, Some("there-1")));
    }
}
