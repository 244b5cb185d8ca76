//! What is logged, as far as it can be changed while the server runs.
//!
//! Guarantees: a change ends by itself; a filter that cannot be understood changes nothing.

use std::sync::OnceLock;

use parking_lot::Mutex;

use crate::base::time::UnixMillis;

/// Puts a filter in force; says what is wrong with it.
type Apply = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// See the module. Until something is attached, nothing can be changed.
#[derive(Default)]
pub struct LogControl(OnceLock<Attached>);

struct Attached {
    apply: Apply,
    /// The filter of the configuration.
    usual: String,
    /// Another one, and until when.
    other: Mutex<Option<(String, UnixMillis)>>,
}

/// Why the filter stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum LogControlError {
    #[error("this process has no log whose filter could be changed")]
    NotAttached,
    #[error("the filter cannot be understood: {0}")]
    Filter(String),
}

impl LogControl {
    /// From now on `apply` puts filters in force; `usual` is in force now. Only the first call counts.
    pub fn attach(&self, usual: String, apply: Apply) {
        let _ = self.0.set(Attached { apply, usual, other: Mutex::new(None) });
    }

    /// Logs by another filter (`debug`, `info,access=warn`) until a time.
    ///
    /// # Errors
    /// [`LogControlError`]; nothing has changed then.
    pub fn change(&self, filter: &str, until: UnixMillis) -> Result<(), LogControlError> {
        let log = self.0.get().ok_or(LogControlError::NotAttached)?;
        let mut other = log.other.lock();
        (log.apply)(filter).map_err(LogControlError::Filter)?;
        *other = Some((filter.to_owned(), until));
        drop(other);
        tracing::warn!(filter, until = %until, "the log filter was changed");
        Ok(())
    }

    /// Goes back to the filter of the configuration, if another one is in force.
    pub fn restore(&self) {
        self.restore_if(|_| true);
    }

    /// The same when its time is over. To be called now and then.
    pub fn expire(&self, now: UnixMillis) {
        self.restore_if(|until| until <= now);
    }

    /// The filter in force, and until when if that is not the usual one.
    pub fn in_force(&self) -> Option<(String, Option<UnixMillis>)> {
        let log = self.0.get()?;
        Some(match &*log.other.lock() {
            Some((filter, until)) => (filter.clone(), Some(*until)),
            None => (log.usual.clone(), None),
        })
    }

    fn restore_if(&self, is_over: impl FnOnce(UnixMillis) -> bool) {
        let Some(log) = self.0.get() else { return };
        let mut other = log.other.lock();
        if !other.as_ref().is_some_and(|(_, until)| is_over(*until)) {
            return;
        }
        // The usual filter was understood at the start.
        let done = (log.apply)(&log.usual);
        *other = None;
        drop(other);
        tracing::warn!(filter = log.usual, problem = done.err(), "the usual log filter is back");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn another_filter_holds_for_its_time_and_a_bad_one_not_at_all() {
        let (control, applied) = (LogControl::default(), Arc::new(Mutex::new(Vec::new())));
        let until = UnixMillis(60_000);
        assert!(matches!(control.change("debug", until), Err(LogControlError::NotAttached)));
        let kept = Arc::clone(&applied);
        control.attach(
            "info".to_owned(),
            Box::new(move |filter| {
                if filter == "bad" {
                    return Err("no such level".to_owned());
                }
                kept.lock().push(filter.to_owned());
                Ok(())
            }),
        );
        assert_eq!(control.in_force(), Some(("info".to_owned(), None)));
        control.change("debug", until).unwrap();
        assert!(matches!(control.change("bad", until), Err(LogControlError::Filter(_))));
        control.expire(UnixMillis(59_999));
        assert_eq!(control.in_force(), Some(("debug".to_owned(), Some(until))));
        control.expire(until);
        control.expire(until);
        assert_eq!(control.in_force(), Some(("info".to_owned(), None)));
        assert_eq!(*applied.lock(), ["debug", "info"]);
    }
}
