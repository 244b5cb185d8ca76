//! Trade bills: asked for, fetched, compared with their hash, read.
//!
//! The file carries no signature; the hash of the *uncompressed* file does, in a signed answer. Its
//! money is yuan with two decimals and becomes fen by moving the point, never through a float.

use std::collections::HashMap;
use std::io::Read as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use flate2::read::MultiGzDecoder;
use jiff::civil::{Date, DateTime};
use jiff::tz::{self, TimeZone};
use serde::Deserialize;
use ureq::http::{Method, Uri};

use super::error::PayError;
use super::model::{BillKind, BillRefund, BillRow, BillRowState, BillSummary, TradeBill};
use super::transport::{MAX_BILL_BYTES, Transport};
use crate::base::time::UnixMillis;

/// What a file begins with that is compressed.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Between two values of a row. Each value has a backtick in front, so a comma within the name of a
/// product divides nothing; quotes mean nothing.
const BETWEEN: &str = ",`";

#[derive(Deserialize)]
struct BillAnswer {
    hash_type: String,
    hash_value: String,
    download_url: String,
}

/// The bill of `day`.
pub(super) async fn trade_bill(
    transport: &Transport,
    day: Date,
    kind: BillKind,
) -> Result<TradeBill, PayError> {
    let kind = kind.as_str();
    let target = format!("/v3/bill/tradebill?bill_date={day}&bill_type={kind}&tar_type=GZIP");
    let answer = match transport.call(Method::GET, &target, &[]).await {
        Err(err) if err.has_code("NOSTATEMENTEXIST") => {
            return Ok(TradeBill { day, rows: Vec::new(), summary: None });
        }
        answer => answer?,
    };
    let answer: BillAnswer = serde_json::from_slice(&answer)
        .map_err(|_| PayError::Garbled("it is no place of a bill"))?;
    if answer.hash_type != "SHA1" {
        return Err(PayError::Garbled("the bill has another hash than SHA1"));
    }
    // Only where from: the request is signed, and goes to no host that an answer names.
    let place: Uri =
        answer.download_url.parse().map_err(|_| PayError::Garbled("the bill has no address"))?;
    let target = place.path_and_query().ok_or(PayError::Garbled("the bill has no address"))?;
    let file = transport.download(target.as_str()).await?;
    let reading = tokio::task::spawn_blocking(move || {
        let file = unpacked(file)?;
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &file);
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if !answer.hash_value.eq_ignore_ascii_case(&hash) {
            return Err("the bill is not the one announced");
        }
        let text = String::from_utf8(file).map_err(|_| "the bill is no UTF-8")?;
        parse(&text)
    });
    let read = reading.await.map_err(|_| PayError::Garbled("reading the bill was cut off"))?;
    let (rows, summary) = read.map_err(PayError::Garbled)?;
    Ok(TradeBill { day, rows, summary: Some(summary) })
}

/// The file as it is hashed.
fn unpacked(file: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    if !file.starts_with(&GZIP_MAGIC) {
        return Ok(file);
    }
    let mut plain = Vec::new();
    // One more than allowed, to see that there is more.
    let read =
        MultiGzDecoder::new(file.as_slice()).take(MAX_BILL_BYTES + 1).read_to_end(&mut plain);
    match read {
        Ok(bytes) if u64::try_from(bytes).is_ok_and(|bytes| bytes <= MAX_BILL_BYTES) => Ok(plain),
        Ok(_) => Err("the bill is too large"),
        Err(_) => Err("the bill is no gzip"),
    }
}

/// Reads a bill: a line of column names, the rows, a line of names and one row of sums.
///
/// Columns are found by their names, of which some are only in some kinds of bill.
fn parse(text: &str) -> Result<(Vec<BillRow>, BillSummary), &'static str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let columns = Columns::read(lines.next().ok_or("the bill is empty")?);
    let mut rows = Vec::new();
    let sums = loop {
        let line = lines.next().ok_or("the bill has no sums")?;
        // Only names have no backtick.
        if !line.starts_with('`') {
            break Columns::read(line);
        }
        rows.push(row(&columns.values(line)?)?);
    };
    let summary = summary(&sums.values(lines.next().ok_or("the bill has no sums")?)?)?;
    match lines.next() {
        None => Ok((rows, summary)),
        Some(_) => Err("the bill goes on behind its sums"),
    }
}

/// Where the values of each name stand.
struct Columns<'a>(Vec<&'a str>);

/// The values of a row by the names of their columns.
struct Values<'a>(HashMap<&'a str, &'a str>);

impl<'a> Columns<'a> {
    fn read(line: &'a str) -> Self {
        Self(line.split(',').map(|name| name.trim().trim_start_matches('`')).collect())
    }

    fn values<'b>(&self, line: &'b str) -> Result<Values<'b>, &'static str>
    where
        'a: 'b,
    {
        let line = line.strip_prefix('`').ok_or("a row of the bill has no backtick")?;
        let values: Vec<&str> = line.trim_end_matches('\r').split(BETWEEN).collect();
        match values.len() == self.0.len() {
            true => Ok(Values(self.0.iter().copied().zip(values).collect())),
            false => Err("a row of the bill has not a value for each column"),
        }
    }
}

impl<'a> Values<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|value| value.trim())
    }

    fn text(&self, name: &str) -> Result<String, &'static str> {
        self.get(name).map(str::to_owned).ok_or("the bill lacks a column")
    }

    fn fen(&self, name: &str) -> Result<i64, &'static str> {
        let yuan = self.get(name).ok_or("the bill lacks a column")?;
        fen(yuan).ok_or("an amount of the bill is not yuan with two decimals")
    }
}

fn row(values: &Values<'_>) -> Result<BillRow, &'static str> {
    let state = match values.text("交易状态")?.as_str() {
        "SUCCESS" => BillRowState::Success,
        "REFUND" => BillRowState::Refund,
        other => BillRowState::Other(other.to_owned()),
    };
    // In the row of a payment the number of the refund is empty or 0.
    let refund = match values.get("微信退款单号") {
        None | Some("" | "0") => None,
        Some(refund_id) => Some(BillRefund {
            refund_id: refund_id.to_owned(),
            out_refund_no: values.text("商户退款单号")?,
            requested_fen: values.fen("申请退款金额")?,
            status: values.text("退款状态")?,
        }),
    };
    Ok(BillRow {
        time: beijing_time(&values.text("交易时间")?).ok_or("a time of the bill is malformed")?,
        appid: values.text("公众账号ID")?,
        mchid: values.text("商户号")?,
        transaction_id: values.text("微信订单号")?,
        out_trade_no: values.text("商户订单号")?,
        openid: values.text("用户标识")?,
        state,
        currency: values.text("货币种类")?,
        total_fen: values.fen("订单金额")?,
        refund,
    })
}

fn summary(values: &Values<'_>) -> Result<BillSummary, &'static str> {
    // A bill of payments alone has no refunds to add up.
    let refund_fen = match values.get("申请退款总金额") {
        None => 0,
        Some(_) => values.fen("申请退款总金额")?,
    };
    Ok(BillSummary {
        count: values.text("总交易单数")?.parse().map_err(|_| "the bill's count is no number")?,
        total_fen: values.fen("订单总金额")?,
        refund_fen,
        fee_fen: values.get("手续费总金额").and_then(fine_fen),
    })
}

/// `12.34` is 1234. At most two decimals, digits on both sides of the point, perhaps a minus.
fn fen(yuan: &str) -> Option<i64> {
    let (is_negative, plain) = match yuan.strip_prefix('-') {
        Some(plain) => (true, plain),
        None => (false, yuan),
    };
    let (whole, cents) = plain.split_once('.').unwrap_or((plain, "00"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(cents) || cents.len() > 2 {
        return None;
    }
    let cents = match cents.len() {
        1 => cents.parse::<i64>().ok()?.checked_mul(10)?,
        _ => cents.parse().ok()?,
    };
    let fen = whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)?;
    if is_negative { fen.checked_neg() } else { Some(fen) }
}

/// `0.12345` is 12: fees have five decimals. Rounded half away from zero.
fn fine_fen(yuan: &str) -> Option<i64> {
    let (whole, decimals) = yuan.split_once('.').unwrap_or((yuan, ""));
    let cut = decimals.char_indices().nth(2).map_or(decimals.len(), |(at, _)| at);
    let (cents, rest) = decimals.split_at_checked(cut)?;
    let cents = if cents.is_empty() { "00" } else { cents };
    let coarse = fen(&format!("{whole}.{cents}"))?;
    if !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_up = rest.as_bytes().first().is_some_and(|digit| *digit >= b'5');
    let step = if yuan.starts_with('-') { -1 } else { 1 };
    Some(if is_up { coarse.checked_add(step)? } else { coarse })
}

/// `2025-10-09 16:53:20`, in Beijing.
fn beijing_time(text: &str) -> Option<UnixMillis> {
    let time: DateTime = text.parse().ok()?;
    let time = time.to_zoned(TimeZone::fixed(tz::offset(8))).ok()?;
    Some(UnixMillis(time.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests;
