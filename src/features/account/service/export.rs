//! Everything that is held of a user, in one file.
//!
//! It is written from one snapshot into a file without a name and sent from there: neither a slow client
//! nor a long history holds memory or a connection of the database, and a failure is an answer, not half
//! a document.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::base::ids::UserId;
use crate::features::account::model::{AccountError, Export};
use crate::features::account::store;
use crate::features::audit::{self, Actor, AuditEntry};

/// Exports that are written at once: each takes one of the few long reads.
const AT_ONCE: usize = 2;

/// What is written at a time.
const BUFFER_BYTES: usize = 64 * 1024;

struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Writes the export.
///
/// # Errors
/// `NotFound`, `Busy`, `File`; what the database fails with.
pub(in crate::features::account) async fn export(
    app: &App,
    user: UserId,
) -> Result<Export, AccountError> {
    let turns = Arc::clone(&app.states.get::<Turns>().0);
    let turn = turns.try_acquire_owned().map_err(|_| AccountError::Busy)?;
    let path = app.scratch_dir.join(format!(".export-{}", app.rng.token::<16>()));
    let now = app.clock.now();
    app.db
        .read("account.export", move |tx| {
            // Held until the work ends, also when the client has left.
            let _turn = turn;
            let mut out = BufWriter::with_capacity(BUFFER_BYTES, nameless(&path)?);
            if !store::export::write(tx, user, now, &mut out)? {
                return Err(AccountError::NotFound);
            }
            out.flush()?;
            let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            let bytes = file.stream_position()?;
            Ok(Export { file, bytes })
        })
        .await
}

/// The same for an administrator, with the entry in the audit log that tells of it.
///
/// # Errors
/// As for the user himself.
pub async fn export_as(app: &App, user: UserId, actor: Actor) -> Result<Export, AccountError> {
    let made = export(app, user).await?;
    let now = app.clock.now();
    let entry = AuditEntry {
        actor,
        action: "user.exported",
        object: format!("user:{user}"),
        before: Value::Null,
        after: json!({ "bytes": made.bytes }),
    };
    app.db.write("account.note_export", move |tx| audit::service::record(tx, &entry, now)).await?;
    Ok(made)
}

/// A file that nobody else can open and that no crash leaves behind.
fn nameless(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    fs::remove_file(path)?;
    Ok(file)
}
