//! The bill of a day: as a file with its checksum, and with what a test wants wrong in it.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::Date;
use moka::sync::Cache;
use parking_lot::Mutex;
use poem::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::orders::PayOrder;
use super::refunds::{PayRefund, RefundStatus};
use super::refusal::Refusal;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::sandbox::listener::Call;
use crate::sandbox::{beijing, crypto};

/// Files that can be fetched.
const MAX_FILES: u64 = 64;
/// How long a link is good, in seconds.
const LINK_LIFE: i64 = 30;
/// When the bill of yesterday is ready, Beijing time.
const READY_HOUR: i8 = 10;
/// Changes planned.
const MAX_EDITS: usize = 100;

const COMMON: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额";
const OF_REFUND: &str = "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态";
const SUMMARY: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

/// Something wrong in every bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BillEdit {
    /// The payment of this order is missing.
    DropRow {
        /// Its number.
        out_trade_no: String,
    },
    /// The payment of this order has another amount.
    ChangeAmount {
        /// Its number.
        out_trade_no: String,
        /// Fen.
        fen: i64,
    },
    /// A payment of an order that nobody placed.
    ForeignRow {
        /// Its number.
        out_trade_no: String,
        /// Fen.
        fen: i64,
    },
    /// The refund of this number is missing.
    DropRefund {
        /// Its number.
        out_refund_no: String,
    },
    /// The checksum is not that of the file.
    WrongHash,
}

#[derive(Clone)]
struct File {
    bytes: Vec<u8>,
    until: UnixMillis,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    All,
    Success,
    Refund,
}

/// Everything about bills.
pub(super) struct Bills {
    files: Cache<String, File>,
    edits: Mutex<Vec<BillEdit>>,
}

impl std::fmt::Debug for Bills {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bills").field("edits", &self.edits.lock()).finish_non_exhaustive()
    }
}

impl Default for Bills {
    fn default() -> Self {
        Self { files: Cache::new(MAX_FILES), edits: Mutex::default() }
    }
}

/// What a bill is made of.
pub(super) struct Books<'a> {
    pub(super) appid: &'a str,
    pub(super) mchid: &'a str,
    pub(super) orders: &'a [PayOrder],
    pub(super) refunds: &'a [PayRefund],
}

impl Bills {
    pub(super) fn edit(&self, edit: BillEdit) {
        let mut edits = self.edits.lock();
        if edits.len() < MAX_EDITS {
            edits.push(edit);
        }
    }

    pub(super) fn clear_edits(&self) {
        self.edits.lock().clear();
    }

    /// Makes the bill that `call` asks for; the link is below `base`.
    pub(super) fn ask(
        &self,
        call: &Call,
        books: &Books<'_>,
        base: &str,
        now: UnixMillis,
        rng: &Rng,
    ) -> Result<Value, Refusal> {
        let day: Date = call
            .query("bill_date")
            .parse()
            .ok()
            .filter(|_| call.query("bill_date").len() == 10)
            .ok_or_else(|| Refusal::param("bill_date", "格式为yyyy-MM-DD"))?;
        let kind = match call.query("bill_type") {
            "" | "ALL" => Kind::All,
            "SUCCESS" => Kind::Success,
            "REFUND" => Kind::Refund,
            _ => return Err(Refusal::param("bill_type", "取值不正确")),
        };
        let gzip = match call.query("tar_type") {
            "" => false,
            "GZIP" => true,
            _ => return Err(Refusal::param("tar_type", "取值不正确")),
        };
        if call
            .query
            .iter()
            .any(|(name, _)| !["bill_date", "bill_type", "tar_type"].contains(&name.as_str()))
        {
            return Err(Refusal::param("/", "传入了未定义的参数"));
        }
        check_ready(day, now)?;
        let edits = self.edits.lock().clone();
        let text = write(books, day, kind, &edits, now).ok_or_else(|| {
            Refusal::new(StatusCode::BAD_REQUEST, "NO_STATEMENT_EXIST", "请求的账单文件不存在")
        })?;
        let mut hash = crypto::sha1_hex(text.as_bytes());
        if edits.contains(&BillEdit::WrongHash) {
            hash = crypto::sha1_hex(b"another file");
        }
        let token = rng.token::<24>();
        let bytes = if gzip { zip(&text) } else { text.into_bytes() };
        self.files.insert(token.clone(), File { bytes, until: now.plus_seconds(LINK_LIFE) });
        let link = format!("{base}/v3/billdownload/file?token={token}");
        Ok(json!({ "hash_type": "SHA1", "hash_value": hash, "download_url": link }))
    }

    /// The file behind a link.
    pub(super) fn file(&self, call: &Call, now: UnixMillis) -> Result<Vec<u8>, Refusal> {
        let file = self.files.get(call.query("token")).filter(|file| now < file.until);
        file.map(|file| file.bytes).ok_or_else(|| Refusal::invalid("下载链接已失效"))
    }
}

fn check_ready(day: Date, now: UnixMillis) -> Result<(), Refusal> {
    let today = beijing::date(now);
    if day >= today {
        return Err(Refusal::param("bill_date", "账单日期须早于今日"));
    }
    let is_yesterday = day.tomorrow().is_ok_and(|next| next == today);
    if is_yesterday && beijing::hour(now) < READY_HOUR {
        let text = "账单生成中，请在10点后再来";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "STATEMENT_CREATING", text));
    }
    let kept = jiff::Span::new().months(3);
    if today.checked_sub(kept).is_ok_and(|oldest| day < oldest) {
        return Err(Refusal::param("bill_date", "仅支持三个月内的账单"));
    }
    Ok(())
}

/// The file's text; `None` when there is nothing in it.
fn write(
    books: &Books<'_>,
    day: Date,
    kind: Kind,
    edits: &[BillEdit],
    now: UnixMillis,
) -> Option<String> {
    let mut rows: Vec<(UnixMillis, String)> = Vec::new();
    let (mut orders_fen, mut refunds_fen) = (0, 0);
    if kind != Kind::Refund {
        for (paid_at, order) in paid(books, day, edits) {
            orders_fen += order.total_fen;
            rows.push((paid_at, payment_row(books, &order, paid_at, kind)));
        }
    }
    if kind != Kind::Success {
        let of_day = books.refunds.iter().filter(|refund| {
            beijing::date(refund.created_at) == day
                && refund.status(now) != RefundStatus::Closed
                && !edits.iter().any(|edit| {
                    matches!(edit, BillEdit::DropRefund { out_refund_no } if *out_refund_no == refund.out_refund_no)
                })
        });
        for refund in of_day {
            let order = books.orders.iter().find(|order| order.out_trade_no == refund.out_trade_no);
            let Some(order) = order else { continue };
            refunds_fen += refund.refund_fen;
            rows.push((refund.created_at, refund_row(books, order, refund, kind, now)));
        }
    }
    if rows.is_empty() {
        return None;
    }
    rows.sort_by_key(|(at, _)| *at);
    let times = if kind == Kind::Refund { ",退款申请时间,退款成功时间" } else { "" };
    let refund = if kind == Kind::Success { String::new() } else { format!(",{OF_REFUND}") };
    let asked = if kind == Kind::Success { "" } else { ",申请退款金额" };
    let mut text = format!(
        "\u{feff}{COMMON}{times}{refund},商品名称,商户数据包,手续费,费率,订单金额{asked},费率备注\r\n"
    );
    for (_, row) in &rows {
        text.push_str(row);
    }
    let totals = [
        rows.len().to_string(),
        yuan(orders_fen),
        yuan(refunds_fen),
        yuan(0),
        format!("{}000", yuan(0)),
        yuan(orders_fen),
        yuan(refunds_fen),
    ];
    Some(text + SUMMARY + "\r\n" + &line(&totals))
}

/// The payments of a day, as the edits want them.
fn paid(books: &Books<'_>, day: Date, edits: &[BillEdit]) -> Vec<(UnixMillis, PayOrder)> {
    let mut found: Vec<(UnixMillis, PayOrder)> = books
        .orders
        .iter()
        .filter_map(|order| Some((order.paid_at?, order.clone())))
        .filter(|(paid_at, _)| beijing::date(*paid_at) == day)
        .collect();
    for edit in edits {
        match edit {
            BillEdit::DropRow { out_trade_no } => {
                found.retain(|(_, order)| order.out_trade_no != *out_trade_no);
            }
            BillEdit::ChangeAmount { out_trade_no, fen } => {
                for (_, order) in &mut found {
                    if order.out_trade_no == *out_trade_no {
                        order.total_fen = *fen;
                    }
                }
            }
            BillEdit::ForeignRow { out_trade_no, fen } => {
                let like = found.first().map(|(_, order)| order.clone());
                if let Some(mut order) = like.or_else(|| books.orders.first().cloned()) {
                    let noon = day.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
                    let at = noon.map_or(order.created_at, |noon| {
                        UnixMillis(noon.timestamp().as_millisecond() - 8 * 3_600_000)
                    });
                    order.out_trade_no.clone_from(out_trade_no);
                    order.transaction_id = Some(format!("4200{}{:010}", beijing::digits(at), fen));
                    order.total_fen = *fen;
                    found.push((at, order));
                }
            }
            BillEdit::DropRefund { .. } | BillEdit::WrongHash => {}
        }
    }
    found
}

fn payment_row(books: &Books<'_>, order: &PayOrder, paid_at: UnixMillis, kind: Kind) -> String {
    let amount = yuan(order.total_fen);
    let mut cells = common(books, order, paid_at, "SUCCESS", &amount);
    if kind == Kind::All {
        cells.extend(["0", "0", "0.00", "0.00", "", ""].map(str::to_owned));
    }
    cells.extend(tail(order, &amount));
    if kind == Kind::All {
        cells.push(yuan(0));
    }
    cells.push(String::new());
    line(&cells)
}

fn refund_row(
    books: &Books<'_>,
    order: &PayOrder,
    refund: &PayRefund,
    kind: Kind,
    now: UnixMillis,
) -> String {
    let mut cells = common(books, order, refund.created_at, "REFUND", "0.00");
    if kind == Kind::Refund {
        cells.push(beijing::plain(refund.created_at));
        cells.push(refund.success_time(now).map(beijing::plain).unwrap_or_default());
    }
    cells.extend([
        refund.refund_id.clone(),
        refund.out_refund_no.clone(),
        yuan(refund.refund_fen),
        yuan(0),
        "ORIGINAL".to_owned(),
        refund.status(now).name().to_owned(),
    ]);
    cells.extend(tail(order, "0.00"));
    cells.extend([yuan(refund.refund_fen), String::new()]);
    line(&cells)
}

fn common(
    books: &Books<'_>,
    order: &PayOrder,
    at: UnixMillis,
    state: &str,
    amount: &str,
) -> Vec<String> {
    let transaction_id = order.transaction_id.clone().unwrap_or_default();
    vec![
        beijing::plain(at),
        books.appid.to_owned(),
        books.mchid.to_owned(),
        "0".to_owned(),
        String::new(),
        transaction_id,
        order.out_trade_no.clone(),
        order.openid.clone(),
        "JSAPI".to_owned(),
        state.to_owned(),
        "OTHERS".to_owned(),
        "CNY".to_owned(),
        amount.to_owned(),
        yuan(0),
    ]
}

/// From the name of the goods to the order's amount.
fn tail(order: &PayOrder, amount: &str) -> [String; 5] {
    let attach = order.attach.clone().unwrap_or_default();
    [order.description.clone(), attach, "0.00000".to_owned(), "0.60%".to_owned(), amount.to_owned()]
}

/// One line: every value behind a backtick. Nothing is quoted, so that a comma or a line's end in a
/// name would make cells of its own; they become spaces.
fn line(cells: &[String]) -> String {
    let cells: Vec<String> =
        cells.iter().map(|cell| format!("`{}", cell.replace([',', '\r', '\n'], " "))).collect();
    cells.join(",") + "\r\n"
}

fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

fn zip(text: &str) -> Vec<u8> {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = zipped.write_all(text.as_bytes());
    zipped.finish().unwrap_or_default()
}
