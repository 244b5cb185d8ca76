//! Large files in a bucket, below a prefix: uploaded and downloaded in parts, so that memory is bounded
//! whatever their size.
//!
//! Guarantees: an object is there whole or not at all, also when an upload is cut off; what was uploaded
//! was asked for again afterwards, and has the size it should; nothing outside the prefix is read,
//! listed or removed. Only what S3, COS, OSS and MinIO have in common is used.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusty_s3::Method as S3Method;
use rusty_s3::signing::sign;
use ureq::http::header::{CONTENT_LENGTH, ETAG, RANGE};
use ureq::http::{Method, Request};
use url::Url;

use super::{OWN_SIGNATURE, S3Settings, S3Storage, refused};
use crate::base::clock::Clock;
use crate::clients::http::Answer;
use crate::clients::object_storage::StorageError;

/// A part of a large object, in bytes; S3 wants 5 MiB at least. Each is in memory once.
const PART: usize = 8 * 1024 * 1024;

/// Parts of one object: S3's bound.
const PARTS_MAX: usize = 10_000;

/// Names in one answer of a list.
const LIST_PAGE: &str = "1000";

/// Answers of a list that are asked for: a million objects.
const LIST_PAGES_MAX: usize = 1_000;

/// A part of a bucket.
pub struct Archive {
    storage: S3Storage,
    prefix: String,
}

/// An object as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Below the prefix.
    pub name: String,
    pub bytes: u64,
}

impl Archive {
    /// What is below `prefix`, which ends with a slash.
    ///
    /// # Errors
    /// When the endpoint cannot be used.
    pub fn new(settings: S3Settings, prefix: String, clock: Clock) -> io::Result<Self> {
        let settings = S3Settings { max_bytes: 2 * PART as u64, ..settings };
        Ok(Self { storage: S3Storage::new(settings, clock)?, prefix })
    }

    /// Stores the file at `from` under `name` and asks whether it is there. Reads the file on this
    /// thread.
    ///
    /// # Errors
    /// [`StorageError`]; nothing of the upload is left then, as far as the other side can be told.
    pub async fn upload(&self, name: &str, from: &Path) -> Result<(), StorageError> {
        let mut file = File::open(from)?;
        let size = file.metadata()?.len();
        let mut part = read_part(&mut file)?;
        if part.len() as u64 == size {
            let sent = self.send(Method::PUT, &self.url(S3Method::Put, name, &[])?, part).await?;
            expect_success(&sent)?;
        } else {
            let url = self.url(S3Method::Post, name, &[("uploads", "")])?;
            let begun = self.send(Method::POST, &url, Vec::new()).await?;
            expect_success(&begun)?;
            let id = first(&begun, "UploadId").ok_or(StorageError::NotUnderstood)?;
            let mut tags = Vec::new();
            let outcome = loop {
                if tags.len() >= PARTS_MAX {
                    break Err(StorageError::NotUnderstood);
                }
                match self.upload_part(name, &id, tags.len() + 1, part).await {
                    Ok(tag) => tags.push(tag),
                    Err(err) => break Err(err),
                }
                part = match read_part(&mut file) {
                    Ok(part) if part.is_empty() => break self.complete(name, &id, &tags).await,
                    Ok(part) => part,
                    Err(err) => break Err(err.into()),
                };
            };
            if let Err(err) = outcome {
                self.abort(name, &id).await;
                return Err(err);
            }
        }
        match self.size(name).await? {
            Some(stored) if stored == size => Ok(()),
            stored => Err(StorageError::OtherSize { wanted: size, stored }),
        }
    }

    async fn upload_part(
        &self,
        name: &str,
        id: &str,
        number: usize,
        part: Vec<u8>,
    ) -> Result<String, StorageError> {
        let number = number.to_string();
        let query = [("partNumber", number.as_str()), ("uploadId", id)];
        let answer = self.send(Method::PUT, &self.url(S3Method::Put, name, &query)?, part).await?;
        expect_success(&answer)?;
        let tag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
        tag.map(str::to_owned).ok_or(StorageError::NotUnderstood)
    }

    async fn complete(&self, name: &str, id: &str, tags: &[String]) -> Result<(), StorageError> {
        let parts = tags.iter().enumerate().map(|(index, tag)| {
            let (number, tag) = (index + 1, tag.replace('&', "&amp;").replace('<', "&lt;"));
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
        });
        let body = format!(
            "<CompleteMultipartUpload>{}</CompleteMultipartUpload>",
            parts.collect::<String>()
        );
        let url = self.url(S3Method::Post, name, &[("uploadId", id)])?;
        let answer = self.send(Method::POST, &url, body.into_bytes()).await?;
        // When the answer of a first try was lost, the second finds nothing to complete: the size says
        // what became of it.
        if answer.status.as_u16() == 404 {
            return Ok(());
        }
        expect_success(&answer)?;
        // The status may be good before the work is done; then the body tells of the failure.
        if first(&answer, "Code").is_some() { Err(refused(&answer)) } else { Ok(()) }
    }

    /// Frees what an upload has left; where that fails, the bucket's own rule for it must.
    async fn abort(&self, name: &str, id: &str) {
        let Ok(url) = self.url(S3Method::Delete, name, &[("uploadId", id)]) else { return };
        if let Err(error) = self.send(Method::DELETE, &url, Vec::new()).await {
            tracing::warn!(error = %error, "parts of a failed upload may be left in the bucket");
        }
    }

    /// The size of an object in bytes; `None` when there is none.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn size(&self, name: &str) -> Result<Option<u64>, StorageError> {
        let url = self.url(S3Method::Head, name, &[])?;
        let answer = self.send(Method::HEAD, &url, Vec::new()).await?;
        if answer.status.as_u16() == 404 {
            return Ok(None);
        }
        expect_success(&answer)?;
        let length = answer.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        length.and_then(|text| text.parse().ok()).map(Some).ok_or(StorageError::NotUnderstood)
    }

    /// Writes an object to `to`. `None` when there is none, else its size.
    ///
    /// # Errors
    /// [`StorageError`], also of writing.
    pub async fn download(
        &self,
        name: &str,
        to: &mut (dyn Write + Send),
    ) -> Result<Option<u64>, StorageError> {
        let Some(size) = self.size(name).await? else { return Ok(None) };
        let mut from = 0;
        while from < size {
            let end = size.min(from + PART as u64) - 1;
            let url = self.url(S3Method::Get, name, &[])?;
            let range = format!("bytes={from}-{end}");
            let request = || Request::get(url.as_str()).header(RANGE, &range).body(Vec::new());
            let answer = self.storage.repeat(request).await?;
            expect_success(&answer)?;
            if answer.body.len() as u64 != end - from + 1 {
                return Err(StorageError::NotUnderstood);
            }
            to.write_all(&answer.body)?;
            from = end + 1;
        }
        Ok(Some(size))
    }

    /// Everything below `below`, in the order of names.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn list(&self, below: &str) -> Result<Vec<Listed>, StorageError> {
        let prefix = format!("{}{below}", self.prefix);
        let (mut found, mut marker) = (Vec::new(), String::new());
        for _ in 0..LIST_PAGES_MAX {
            let mut query = vec![("max-keys", LIST_PAGE), ("prefix", prefix.as_str())];
            if !marker.is_empty() {
                query.insert(0, ("marker", marker.as_str()));
            }
            let mut url = self.storage.bucket.base_url().clone();
            url = self.signed(S3Method::Get, url, &query);
            let answer = self.send(Method::GET, &url, Vec::new()).await?;
            expect_success(&answer)?;
            let text = String::from_utf8_lossy(&answer.body);
            let before = found.len();
            for entry in blocks(&text, "Contents") {
                let (Some(key), Some(size)) = (block(entry, "Key"), block(entry, "Size")) else {
                    return Err(StorageError::NotUnderstood);
                };
                let key = unescape(key);
                let bytes = size.trim().parse().map_err(|_| StorageError::NotUnderstood)?;
                if let Some(name) = key.strip_prefix(&self.prefix) {
                    found.push(Listed { name: name.to_owned(), bytes });
                }
                marker = key;
            }
            let is_more = block(&text, "IsTruncated").is_some_and(|more| more.trim() == "true");
            if !is_more || found.len() == before {
                break;
            }
        }
        Ok(found)
    }

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn delete(&self, name: &str) -> Result<(), StorageError> {
        let url = self.url(S3Method::Delete, name, &[])?;
        let answer = self.send(Method::DELETE, &url, Vec::new()).await?;
        if answer.status.as_u16() == 404 { Ok(()) } else { expect_success(&answer) }
    }

    async fn send(&self, method: Method, url: &Url, body: Vec<u8>) -> Result<Answer, StorageError> {
        let request =
            || Request::builder().method(method.clone()).uri(url.as_str()).body(body.clone());
        self.storage.repeat(request).await
    }

    fn url(
        &self,
        method: S3Method,
        name: &str,
        query: &[(&str, &str)],
    ) -> Result<Url, StorageError> {
        let key = format!("{}{name}", self.prefix);
        let url = self.storage.bucket.object_url(&key).map_err(io::Error::other)?;
        Ok(self.signed(method, url, query))
    }

    /// Signs for some minutes. The query is in the order of its names.
    fn signed(&self, method: S3Method, url: Url, query: &[(&str, &str)]) -> Url {
        let storage = &self.storage;
        let now = Timestamp::from_millisecond(storage.clock.now().0);
        sign(
            &now.unwrap_or(Timestamp::UNIX_EPOCH),
            method,
            url,
            storage.credentials.key(),
            storage.credentials.secret(),
            storage.credentials.token(),
            storage.bucket.region(),
            Duration::as_secs(&OWN_SIGNATURE),
            query.iter().copied(),
            std::iter::empty(),
        )
    }
}

/// The next part of a file; shorter at its end, empty behind it.
fn read_part(file: &mut File) -> io::Result<Vec<u8>> {
    let left = file.metadata()?.len().saturating_sub(file.stream_position()?);
    let mut part = Vec::with_capacity(PART.min(usize::try_from(left).unwrap_or(PART)));
    file.take(PART as u64).read_to_end(&mut part)?;
    Ok(part)
}

fn expect_success(answer: &Answer) -> Result<(), StorageError> {
    if answer.status.is_success() { Ok(()) } else { Err(refused(answer)) }
}

fn first(answer: &Answer, name: &str) -> Option<String> {
    block(&String::from_utf8_lossy(&answer.body), name).map(|text| unescape(text.trim()))
}

/// The text between the first `<name>` and its end. Answers of lists and uploads are flat, and the
/// services disagree about the namespace that a strict reader would insist on.
fn block<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    blocks(text, name).next()
}

fn blocks<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(&open)?;
        let (inside, behind) = behind.split_once(&close)?;
        rest = behind;
        Some(inside)
    })
}

fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let text = text.replace("&quot;", "\"").replace("&apos;", "'").replace("&#39;", "'");
    text.replace("&#34;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_and_without_a_namespace() {
        for root in ["<ListBucketResult>", "<ListBucketResult xmlns=\"http://s3\">"] {
            let text = format!(
                "{root}<IsTruncated>false</IsTruncated>\
                 <Contents><Key>a/b&amp;c</Key><ETag>&quot;1&quot;</ETag><Size>7</Size></Contents>\
                 <Contents><Key>a/d</Key><Size>8</Size></Contents></ListBucketResult>"
            );
            let keys: Vec<_> = blocks(&text, "Contents")
                .map(|entry| {
                    (unescape(block(entry, "Key").unwrap()), block(entry, "Size").unwrap())
                })
                .collect();
            assert_eq!(keys, [("a/b&c".to_owned(), "7"), ("a/d".to_owned(), "8")]);
            assert_eq!(block(&text, "NextMarker"), None);
        }
    }
}
