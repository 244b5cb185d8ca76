//! The end of the process: the first SIGTERM or SIGINT asks everything to finish, a second one
//! ends the process at once. SIGHUP ends nothing: it asks to read files anew.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGTERM or SIGINT. Whatever lives long (the accept loop,
/// event streams, workers) watches it or a child of it.
///
/// # Errors
/// When the process cannot listen for signals. Needs a tokio runtime.
pub fn on_signals() -> io::Result<CancellationToken> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let shutdown = token.clone();
    // Lives as long as the process: its second half is there for when the rest hangs.
    tokio::spawn(async move {
        let first = either(&mut term, &mut int).await;
        tracing::info!(signal = first.name, "shutting down; a second signal exits at once");
        shutdown.cancel();
        let second = either(&mut term, &mut int).await;
        tracing::warn!(signal = second.name, "exiting at once");
        process::exit(second.exit_code);
    });
    Ok(token)
}

/// SIGHUP, each time it comes. Without this it would end the process.
///
/// # Errors
/// When the process cannot listen for signals. Needs a tokio runtime.
pub fn on_hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

struct Received {
    name: &'static str,
    /// 128 + the signal's number, as shells report it.
    exit_code: i32,
}

async fn either(term: &mut Signal, int: &mut Signal) -> Received {
    tokio::select! {
        _ = term.recv() => Received { name: "SIGTERM", exit_code: 143 },
        _ = int.recv() => Received { name: "SIGINT", exit_code: 130 },
    }
}
