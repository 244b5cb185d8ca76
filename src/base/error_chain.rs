//! An error with everything that led to it, on one line.

use std::error::Error;

/// The error and its causes, outermost first. A wrapper that repeats its source is said once.
pub fn error_chain(err: &(dyn Error + 'static)) -> String {
    let mut text = err.to_string();
    let mut last = text.clone();
    let mut cause = err.source();
    while let Some(err) = cause {
        let next = err.to_string();
        if next != last {
            text.push_str(": ");
            text.push_str(&next);
        }
        last = next;
        cause = err.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("outer")]
        Named(#[source] std::fmt::Error),
        #[error(transparent)]
        Same(#[from] std::fmt::Error),
    }

    #[test]
    fn causes_follow_and_repeats_do_not() {
        let inner = std::fmt::Error.to_string();
        assert_eq!(error_chain(&Outer::Named(std::fmt::Error)), format!("outer: {inner}"));
        assert_eq!(error_chain(&Outer::Same(std::fmt::Error)), inner);
    }
}
