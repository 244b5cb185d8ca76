//! Money without floats, and bills as WeChat Pay writes them.

use std::fmt::Write as _;
use std::io::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::super::PayErrorKind;
use super::super::testing::{Reply, Server, client, settings};
use super::*;

const NAMES: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";

const SUMS: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", fen.unsigned_abs() / 100, fen.unsigned_abs() % 100)
}

/// A bill as WeChat Pay writes it, with a product name that is as awkward as can be.
fn render(rows: &[BillRow], product: &str) -> String {
    let mut text = format!("\u{feff}{NAMES}\r\n");
    for row in rows {
        let time = jiff::Timestamp::from_millisecond(row.time.0).unwrap();
        let time = time.to_zoned(TimeZone::fixed(tz::offset(8))).strftime("%Y-%m-%d %H:%M:%S");
        let state = match &row.state {
            BillRowState::Success => "SUCCESS",
            BillRowState::Refund => "REFUND",
            BillRowState::Other(other) => other,
        };
        let (refund_id, out_refund_no, requested, status) = match &row.refund {
            Some(refund) => (
                refund.refund_id.as_str(),
                refund.out_refund_no.as_str(),
                refund.requested_fen,
                refund.status.as_str(),
            ),
            None => ("0", "0", 0, ""),
        };
        let BillRow { appid, mchid, transaction_id, out_trade_no, openid, currency, .. } = row;
        let (total, requested) = (yuan(row.total_fen), yuan(requested));
        write!(
            text,
            "`{time},`{appid},`{mchid},`0,`,`{transaction_id},`{out_trade_no},`{openid},`JSAPI,\
             `{state},`OTHERS,`{currency},`{total},`0.00,`{refund_id},`{out_refund_no},`{requested},\
             `0.00,`ORIGINAL,`{status},`{product},`,`0.01200,`0.60%,`{total},`{requested},`\r\n"
        )
        .unwrap();
    }
    let total: i64 = rows.iter().map(|row| row.total_fen).sum();
    let refunded: i64 =
        rows.iter().filter_map(|row| row.refund.as_ref()).map(|refund| refund.requested_fen).sum();
    let (total, refunded) = (yuan(total), yuan(refunded));
    write!(
        text,
        "{SUMS}\r\n`{},`{total},`{refunded},`0.00,`0.01200,`{total},`{refunded}\r\n",
        rows.len()
    )
    .unwrap();
    text
}

fn a_refund() -> impl Strategy<Value = BillRefund> {
    let status = prop::sample::select(vec!["SUCCESS", "PROCESSING", "FAIL"]);
    ("[1-9][0-9]{8,28}", "[0-9A-Za-z_|*@-]{1,64}", 1..100_000_000_i64, status).prop_map(
        |(refund_id, out_refund_no, requested_fen, status)| BillRefund {
            refund_id,
            out_refund_no,
            requested_fen,
            status: status.to_owned(),
        },
    )
}

fn a_row() -> impl Strategy<Value = BillRow> {
    let seconds = 1_577_808_000..1_900_000_000_i64;
    let numbers = ("[0-9]{28}", "[0-9A-Za-z_|*-]{6,32}", "o[0-9A-Za-z_-]{27}");
    (seconds, numbers, 0..100_000_000_i64, prop::option::of(a_refund())).prop_map(
        |(seconds, (transaction_id, out_trade_no, openid), total_fen, refund)| BillRow {
            time: UnixMillis(seconds * 1000),
            appid: "wx8d7f3a5b1c2e4960".to_owned(),
            mchid: "1900009191".to_owned(),
            transaction_id,
            out_trade_no,
            openid,
            state: if refund.is_some() { BillRowState::Refund } else { BillRowState::Success },
            currency: "CNY".to_owned(),
            total_fen,
            refund,
        },
    )
}

proptest! {
    #[test]
    fn a_bill_is_read_as_it_was_written(
        rows in prop::collection::vec(a_row(), 0..20),
        product in "[^`\r\n]{0,40}",
    ) {
        let (read, summary) = parse(&render(&rows, &product)).unwrap();
        prop_assert_eq!(&read, &rows);
        prop_assert_eq!(summary.count, u64::try_from(rows.len()).unwrap());
        prop_assert_eq!(summary.total_fen, rows.iter().map(|row| row.total_fen).sum::<i64>());
    }

    #[test]
    fn fen_are_what_yuan_says(amount in -10_000_000_000_i64..10_000_000_000) {
        prop_assert_eq!(fen(&yuan(amount)), Some(amount));
    }

    #[test]
    fn no_text_makes_the_reader_fall_over(text in "\\PC{0,200}") {
        let _ = parse(&text);
        let _ = fen(&text);
    }
}

#[test]
fn yuan_has_two_decimals_and_nothing_is_rounded() {
    for (yuan, wanted) in [
        ("19.90", 1990),
        ("0.01", 1),
        ("0.00", 0),
        ("0.29", 29),
        ("1.1", 110),
        ("7", 700),
        ("-5.07", -507),
        ("-0.05", -5),
        ("92233720368547758.07", i64::MAX),
    ] {
        assert_eq!(fen(yuan), Some(wanted), "{yuan}");
    }
    for bad in [
        "",
        "-",
        ".",
        ".5",
        "5.",
        "1.234",
        "1.2.3",
        "1,000.00",
        "+1.00",
        "1e2",
        " 1.00",
        "￥1.00",
        "--1.00",
        "1.-1",
        "１.００",
        "92233720368547758.08",
        "99999999999999999999.00",
    ] {
        assert_eq!(fen(bad), None, "{bad}");
    }
}

fn one_row() -> BillRow {
    BillRow {
        time: UnixMillis(1_759_999_000_000),
        appid: "wx8d7f3a5b1c2e4960".to_owned(),
        mchid: "1900009191".to_owned(),
        transaction_id: "4200002750202510091234567890".to_owned(),
        out_trade_no: "DREAM20251009000001".to_owned(),
        openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned(),
        state: BillRowState::Success,
        currency: "CNY".to_owned(),
        total_fen: 1990,
        refund: None,
    }
}

#[test]
fn a_bill_that_is_cut_or_altered_is_not_read_in_part() {
    let whole = render(&[one_row(), one_row()], "VIP月卡, \"年\"");
    assert_eq!(parse(&whole).unwrap().0, [one_row(), one_row()]);
    assert_eq!(parse(whole.trim_start_matches('\u{feff}')).unwrap().0.len(), 2, "without a BOM");
    assert_eq!(parse(&whole.replace("\r\n", "\n")).unwrap().0.len(), 2);
    for lines in 0..5 {
        let cut: Vec<&str> = whole.lines().take(lines).collect();
        assert!(parse(&cut.join("\r\n")).is_err(), "{lines} lines");
    }
    for (from, to) in [
        ("`19.90", "`19.9O"),
        ("订单金额", "订单金"),
        ("交易状态", "状态"),
        ("`2025", "`then"),
        ("`CNY,", ""),
        ("`2,", "`two,"),
        ("总交易单数", "单数"),
    ] {
        assert!(parse(&whole.replace(from, to)).is_err(), "{from}");
    }
    assert!(parse(&format!("{whole}`1,`2\r\n")).is_err());
}

fn hash(text: &str) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn announced(hash: &str, url: &str) -> Reply {
    let answer = json!({ "hash_type": "SHA1", "hash_value": hash, "download_url": url });
    Reply::signed(200, &answer.to_string())
}

fn day() -> Date {
    Date::new(2025, 10, 8).unwrap()
}

#[tokio::test]
async fn a_bill_is_fetched_from_where_we_call_and_compared_with_its_hash() {
    let text = render(&[one_row()], "VIP");
    // The host that is named is not ours to send a signature to; the path is, as it stands.
    let url = "https://evil.example/v3/billdownload/file?token=a%2Bb%3D&x=1";
    for file in [gzip(&text), text.clone().into_bytes()] {
        let server =
            Server::start([announced(&hash(&text), url), Reply::unsigned(200, file)]).await;
        let (pay, _) = client(settings(&server.base));
        let bill = pay.trade_bill(day(), BillKind::All).await.unwrap();
        assert_eq!((bill.day, bill.rows), (day(), vec![one_row()]));
        let sums = bill.summary.unwrap();
        assert_eq!((sums.count, sums.total_fen, sums.refund_fen), (1, 1990, 0));
        let seen = server.seen();
        let targets: Vec<&str> = seen.iter().map(|seen| seen.target.as_str()).collect();
        assert_eq!(
            targets,
            [
                "/v3/bill/tradebill?bill_date=2025-10-08&bill_type=ALL&tar_type=GZIP",
                "/v3/billdownload/file?token=a%2Bb%3D&x=1",
            ]
        );
        assert!(seen[1].headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn another_file_than_announced_is_not_read() {
    let text = render(&[one_row()], "VIP");
    let altered = text.replace("19.90", "99.90");
    for (announced, file) in [
        (announced(&hash(&text), "https://x/f"), gzip(&altered)),
        // The hash is of the file, not of its packing.
        (announced(&hash("?"), "https://x/f"), gzip(&text)),
        (announced(&hash(&text), "https://x/f"), gzip(&text)[..40].to_vec()),
    ] {
        let server = Server::start([announced, Reply::unsigned(200, file)]).await;
        let (pay, _) = client(settings(&server.base));
        let err = pay.trade_bill(day(), BillKind::All).await.unwrap_err();
        assert_eq!(err.kind(), PayErrorKind::Unknown);
        assert!(err.to_string().contains("the bill is n"), "{err}");
    }
}

#[tokio::test]
async fn a_day_without_trade_has_an_empty_bill_and_one_in_the_making_none_yet() {
    let refused = |code: &str| Reply::signed(400, &format!(r#"{{"code":"{code}","message":"m"}}"#));
    let server =
        Server::start([refused("NO_STATEMENT_EXIST"), refused("STATEMENT_CREATING")]).await;
    let (pay, _) = client(settings(&server.base));
    let none = pay.trade_bill(day(), BillKind::All).await.unwrap();
    assert_eq!(none, TradeBill { day: day(), rows: Vec::new(), summary: None });
    let err = pay.trade_bill(day(), BillKind::All).await.unwrap_err();
    assert_eq!(err.kind(), PayErrorKind::NotReady);
    assert_eq!(server.seen().len(), 2, "neither is asked again at once");
}

#[test]
fn a_bomb_does_not_go_off() {
    let zeros = vec![0; 1024 * 1024];
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..=MAX_BILL_BYTES / (1024 * 1024) {
        packer.write_all(&zeros).unwrap();
    }
    assert_eq!(unpacked(packer.finish().unwrap()), Err("the bill is too large"));
}

#[test]
fn fees_are_finer_than_fen_and_rounded() {
    let of = |yuan: &str| fine_fen(yuan);
    assert_eq!([of("0.12345"), of("0.12500"), of("-0.12500")], [Some(12), Some(13), Some(-13)]);
    assert_eq!([of("12"), of("0.1"), of("1.00000")], [Some(1200), Some(10), Some(100)]);
    assert_eq!([of(""), of("0.12x"), of("0.1字"), of("a.00")], [None; 4]);
}
