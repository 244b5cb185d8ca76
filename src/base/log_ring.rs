//! The last lines of the log, in memory, for the operator's page: bounded in number and length.
//!
//! Beside what is written to standard error or a file, and under the same filter; a line costs a lock
//! and a copy.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use parking_lot::Mutex;
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::clock::Clock;
use super::time::UnixMillis;

/// Lines that are kept.
const LINES: usize = 5_000;

/// Bytes of a line; what is longer is cut.
const LINE_BYTES: usize = 2_048;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Counted from 1 since the start.
    pub number: u64,
    pub at: UnixMillis,
    pub level: Level,
    pub target: String,
    /// The message with its fields and those of the request it belongs to.
    pub text: String,
}

/// The last lines.
pub struct LogRing {
    lines: Mutex<VecDeque<LogLine>>,
    last: watch::Sender<u64>,
    clock: Clock,
}

static RING: LazyLock<LogRing> = LazyLock::new(LogRing::new);

impl LogRing {
    /// The ring of the process: there is one log.
    pub fn of_process() -> &'static Self {
        &RING
    }

    fn new() -> Self {
        Self { lines: Mutex::default(), last: watch::Sender::new(0), clock: Clock::system() }
    }

    /// At most `most` lines of those that `wanted` takes, numbered in between, the newest last.
    pub fn read(
        &self,
        after: u64,
        before: Option<u64>,
        most: usize,
        wanted: impl Fn(&LogLine) -> bool,
    ) -> Vec<LogLine> {
        let lines = self.lines.lock();
        let is_asked_for = |line: &&LogLine| {
            line.number > after && before.is_none_or(|before| line.number < before) && wanted(line)
        };
        let mut found: Vec<_> =
            lines.iter().rev().filter(is_asked_for).take(most).cloned().collect();
        found.reverse();
        found
    }

    /// Tells the number of the last line, and whenever there is another.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    fn push(&self, level: Level, target: &str, mut text: String) {
        if text.len() > LINE_BYTES {
            let mut end = LINE_BYTES;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push('…');
        }
        let at = self.clock.now();
        let mut lines = self.lines.lock();
        let number = lines.back().map_or(0, |line| line.number) + 1;
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(LogLine { number, at, level, target: target.to_owned(), text });
        drop(lines);
        self.last.send_replace(number);
    }
}

/// Puts every line of the log into the ring of the process.
pub struct LogRingLayer;

/// The fields of a span, as its lines show them.
struct SpanText(String);

impl<S> Layer<S> for LogRingLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            let name = span.name();
            span.extensions_mut().insert(SpanText(format!(" {name}{{{}}}", fields.0.trim_start())));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut text = fields.0.trim_start().to_owned();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<SpanText>() {
                text.push_str(&of_span.0);
            }
        }
        RING.push(*event.metadata().level(), event.metadata().target(), text);
    }
}

/// The message first, then ` name=value` for each field.
#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}{}", self.0);
        } else {
            // Writing to a text cannot fail.
            let _ = write!(self.0, " {}={value:?}", field.name());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0 = format!("{value}{}", self.0);
        } else {
            let _ = write!(self.0, " {}={value}", field.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_last_lines_and_cuts_long_ones() {
        let ring = LogRing::new();
        for number in 0..LINES + 10 {
            ring.push(Level::INFO, "test", format!("line {number}"));
        }
        let all = ring.read(0, None, usize::MAX, |_| true);
        assert_eq!((all.len(), all[0].number), (LINES, 11));
        let last = ring.read(0, None, 2, |_| true);
        assert_eq!(last[1].text, format!("line {}", LINES + 9));
        assert!(last[0].number < last[1].number);
        assert_eq!(ring.read(last[0].number, None, 9, |_| true), last[1..]);
        assert_eq!(ring.read(0, Some(last[1].number), 1, |_| true), last[..1]);
        assert_eq!(ring.read(0, None, 9, |line| line.text.ends_with("line 77")).len(), 1);
        ring.push(Level::WARN, "test", "长".repeat(LINE_BYTES));
        let cut = ring.read(0, None, 1, |line| line.level <= Level::WARN).remove(0);
        assert!(cut.text.len() <= LINE_BYTES + 3 && cut.text.ends_with('…'));
        assert_eq!(*ring.follow().borrow(), cut.number);
    }

    #[test]
    fn a_line_has_its_fields_and_those_of_its_request() {
        use tracing_subscriber::layer::SubscriberExt as _;
        let subscriber = tracing_subscriber::registry().with(LogRingLayer);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::error_span!("request", id = "r-7");
            let _entered = span.enter();
            tracing::warn!(target: "ring-test", user = 7, why = "tired", "it fell");
        });
        let ours = |line: &LogLine| line.target == "ring-test";
        let line = LogRing::of_process().read(0, None, 1, ours).remove(0);
        assert_eq!(line.text, "it fell user=7 why=tired request{id=r-7}");
        assert_eq!(line.level, Level::WARN);
    }
}
