//! Lists as CSV: a page at a time, so that a long list holds neither memory nor a connection of the
//! database.
//!
//! Guarantees: UTF-8 with a byte order mark, which spreadsheets need to read Chinese; nothing that a user
//! wrote is taken for a formula. A failure in the middle breaks the connection: a part is not taken for
//! the whole. Only so many are made at once.

use std::io;
use std::sync::Arc;

use futures_util::stream;
use hyper::body::Bytes;
use poem::http::{HeaderValue, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::http::{ApiError, ErrorCode, Found};

/// Rows read at a time.
const PAGE: i64 = 500;

/// Exports that are made at once.
const AT_ONCE: usize = 3;

/// What spreadsheets know UTF-8 by.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What a text begins with that a spreadsheet would calculate.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// A list as a file of CSV.
pub(super) struct Csv {
    body: Body,
    name: &'static str,
}

/// How a list becomes lines.
pub(super) struct Sheet<R, K> {
    /// Of the file.
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
    /// What the next page begins behind.
    pub(super) keys: fn(&R) -> K,
    /// The values of a row, one for each column.
    pub(super) record: fn(&R) -> Vec<String>,
}

/// Streams a list. `read` is given what is `wanted` and reads so many rows of it behind these keys; the
/// first page is read before anything is answered.
///
/// # Errors
/// `SERVICE_OVERLOAD` when enough are made already; what `read` fails with at once.
pub(super) async fn export<W, R, K, F, Fut, P, E>(
    app: &Arc<App>,
    sheet: Sheet<R, K>,
    wanted: W,
    read: F,
) -> Result<Csv, ApiError>
where
    W: Clone + Send + Sync + 'static,
    R: Send + Sync + 'static,
    K: Send + 'static,
    F: Fn(Arc<App>, W, Option<K>, i64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<P, E>> + Send,
    P: Into<Found<R, K>>,
    E: Into<ApiError> + Send,
{
    let turns = Arc::clone(&app.states.get::<Turns>().0);
    let turn = turns.try_acquire_owned().map_err(|_| ErrorCode::ServiceOverload)?;
    let fetch = {
        let app = Arc::clone(app);
        move |after| read(Arc::clone(&app), wanted.clone(), after, PAGE)
    };
    let found = fetch(None).await.map_err(Into::into)?.into();
    let name = sheet.name;
    let mut first = BYTE_ORDER_MARK.as_bytes().to_vec();
    let columns = sheet.columns.iter().map(|&column| column.to_owned()).collect();
    first.extend(lines(std::iter::once(columns)).map_err(unwritten)?);
    let state = Writing { sheet, fetch, found: Some(found), first: Some(first), _turn: turn };
    let pieces = stream::try_unfold(state, |mut state| async move {
        let Some(Found { rows, stopped }) = state.found.take() else {
            return Ok::<_, io::Error>(None);
        };
        let mut piece = state.first.take().unwrap_or_default();
        piece.extend(lines(rows.iter().map(state.sheet.record))?);
        let is_full = i64::try_from(rows.len()).is_ok_and(|len| len >= PAGE);
        let mut behind = stopped.or_else(|| rows.last().filter(|_| is_full).map(state.sheet.keys));
        // A part in which nothing was found is not worth sending.
        while let Some(keys) = behind.take() {
            let more: Found<R, K> =
                (state.fetch)(Some(keys)).await.map_err(|err| io::Error::other(err.into()))?.into();
            if more.rows.is_empty() {
                behind = more.stopped;
            } else {
                state.found = Some(more);
            }
        }
        Ok(Some((Bytes::from(piece), state)))
    });
    Ok(Csv { body: Body::from_bytes_stream(pieces), name })
}

struct Writing<R, K, F> {
    sheet: Sheet<R, K>,
    fetch: F,
    /// What was read and not written; none at the end.
    found: Option<Found<R, K>>,
    /// What stands before the first row.
    first: Option<Vec<u8>>,
    _turn: OwnedSemaphorePermit,
}

fn lines(records: impl Iterator<Item = Vec<String>>) -> io::Result<Vec<u8>> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for record in records {
        writer.write_record(record.iter().map(|value| defused(value)))?;
    }
    writer.into_inner().map_err(|err| io::Error::other(err.to_string()))
}

/// A quote before what would be calculated. Numbers are what they are.
fn defused(value: &str) -> String {
    if value.starts_with(FORMULA) && value.parse::<f64>().is_err() {
        format!("'{value}")
    } else {
        value.to_owned()
    }
}

fn unwritten(err: io::Error) -> ApiError {
    ApiError::new(ErrorCode::InternalError).caused_by(err)
}

/// Yuan with two decimals: what people calculate with in a sheet.
pub(super) fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}

/// A value that may not be there.
pub(super) fn or_empty(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

impl IntoResponse for Csv {
    fn into_response(self) -> Response {
        let mut response = Response::builder()
            .header(header::CONTENT_TYPE, "text/csv; charset=utf-8")
            .header(header::CACHE_CONTROL, "no-store")
            .body(self.body);
        if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{}\"", self.name))
        {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
        response
    }
}

impl ApiResponse for Csv {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The list as a file",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "text/csv; charset=utf-8",
                    schema: schema(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        <String as Type>::register(registry);
    }
}

fn schema() -> MetaSchemaRef {
    <String as Type>::schema_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_calculated_is_a_text() {
        for text in ["=1+1", "+cmd", "-1+1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(defused(text), format!("'{text}"));
        }
        for text in ["", "小明", "-12.50", "+3", "a=b", "2026-01-29T12:00:00Z"] {
            assert_eq!(defused(text), text);
        }
    }

    #[test]
    fn commas_quotes_and_lines_stay_in_their_value() {
        let record = vec!["a,b".to_owned(), "say \"x\"".to_owned(), "two\nlines".to_owned()];
        let text = String::from_utf8(lines(std::iter::once(record)).unwrap()).unwrap();
        assert_eq!(text, "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\r\n");
    }

    #[test]
    fn fen_become_yuan() {
        assert_eq!([0, 5, 1999, -150].map(yuan), ["0.00", "0.05", "19.99", "-1.50"]);
    }
}
