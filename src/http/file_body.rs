//! A file as a body, read piece by piece as the client takes it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use futures_util::Stream;
use hyper::body::Bytes;
use poem::Body;

/// What one answer holds in memory. Large enough that the way to another thread costs little.
const PIECE_BYTES: u64 = 128 * 1024;

/// `count` bytes of `file` from `first` on. A file that is shorter breaks the connection: the client must
/// not take a part for the whole.
pub fn file_body(file: File, first: u64, count: u64) -> Body {
    Body::from_bytes_stream(pieces(file, first, count))
}

/// One piece when the one before is taken.
fn pieces(file: File, first: u64, count: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
    futures_util::stream::try_unfold((file, first, count), |(mut file, at, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let reading = tokio::task::spawn_blocking(move || {
            let size = left.min(PIECE_BYTES);
            let mut piece = Vec::new();
            file.seek(SeekFrom::Start(at))?;
            let read = (&file).take(size).read_to_end(&mut piece)? as u64;
            // Cut from outside: the connection must break, not end early.
            if read < size {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            Ok((Bytes::from(piece), (file, at + size, left - size)))
        });
        reading.await.map_err(io::Error::other)?.map(Some)
    })
}
