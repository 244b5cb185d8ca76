//! Bills: when they are there, what they hold, how they are fetched.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;

use super::{World, refused};
use crate::sandbox::{BillEdit, crypto};

const DAY: &str = "/v3/bill/tradebill?bill_date=2026-01-29";

/// The text of the bill at `path`, its checksum checked.
async fn bill(world: &World, path: &str) -> String {
    let answer = world.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert!(world.is_signed(&answer));
    let body = answer.json();
    let url = body["download_url"].as_str().unwrap();
    let file = world.get(url.strip_prefix(&world.pay().base()).unwrap()).await;
    assert_eq!(file.header("wechatpay-signature"), "");
    let mut bytes = file.body;
    if path.contains("GZIP") {
        let mut plain = Vec::new();
        GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
        bytes = plain;
    }
    assert_eq!(body["hash_value"], crypto::sha1_hex(&bytes).as_str());
    String::from_utf8(bytes).unwrap()
}

async fn next_morning() -> World {
    let world = World::start().await;
    for (number, total) in [("DREAM0000000001", 1234), ("DREAM0000000002", 5)] {
        world.prepay(number, total).await;
        world.pay().pay_silently(number).unwrap();
    }
    world.prepay("DREAM0000000003", 7).await;
    assert_eq!(world.refund("DREAM0000000001", "R1", 1000, 1234).await.status, 200);
    world.clock.advance(Duration::from_secs(14 * 3600));
    world
}

#[tokio::test]
async fn a_bill_lists_payments_and_refunds_in_yuan() {
    let world = next_morning().await;
    for path in [DAY.to_owned(), format!("{DAY}&tar_type=GZIP")] {
        let text = bill(&world, &path).await;
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("\u{feff}交易时间,"));
        assert_eq!(lines.len(), 1 + 3 + 2);
        let head: Vec<&str> = lines[0].split(',').collect();
        for line in &lines[1..4] {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), head.len(), "{line}");
            assert!(cells.iter().all(|cell| cell.starts_with('`')), "{line}");
        }
        assert!(lines[1].contains("`DREAM0000000001,") && lines[1].contains("`12.34"));
        assert!(lines[1].contains("`2026-01-29 20:00:00"));
        let refund = lines.iter().find(|line| line.contains("`R1,")).unwrap();
        assert!(refund.contains("`REFUND") && refund.contains("`10.00"));
        assert!(lines[5].starts_with("`3,`12.39,`10.00,"), "{}", lines[5]);
        assert!(!text.contains("DREAM0000000003"));
    }
    let payments = bill(&world, &format!("{DAY}&bill_type=SUCCESS")).await;
    assert_eq!(payments.lines().count(), 1 + 2 + 2);
    let refunds = bill(&world, &format!("{DAY}&bill_type=REFUND")).await;
    assert_eq!(refunds.lines().count(), 1 + 1 + 2);
}

#[tokio::test]
async fn a_bill_is_there_the_next_morning_for_three_months() {
    let world = World::start().await;
    let path = |date: &str| format!("/v3/bill/tradebill?bill_date={date}");
    for wrong in ["2026-01-29", "2026-01-30", "2025-10-01", "20260128", "yesterday"] {
        refused(&world.get(&path(wrong)).await, 400, "PARAM_ERROR");
    }
    refused(&world.get(&format!("{DAY}&bill_type=NONE")).await, 400, "PARAM_ERROR");
    refused(&world.get(&path("2026-01-28")).await, 400, "NO_STATEMENT_EXIST");
    world.clock.advance(Duration::from_secs(13 * 3600));
    refused(&world.get(DAY).await, 400, "STATEMENT_CREATING");
    world.clock.advance(Duration::from_secs(3600));
    refused(&world.get(DAY).await, 400, "NO_STATEMENT_EXIST");
}

#[tokio::test]
async fn a_link_is_good_for_half_a_minute() {
    let world = next_morning().await;
    let body = world.get(DAY).await.json();
    let url = body["download_url"].as_str().unwrap();
    let path = url.strip_prefix(&world.pay().base()).unwrap();
    assert_eq!(world.get(path).await.status, 200);
    refused(&world.send_raw(&[], "GET", path, "").await, 401, "SIGN_ERROR");
    world.clock.advance(Duration::from_secs(30));
    refused(&world.get(path).await, 400, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_bill_can_be_wrong() {
    let world = next_morning().await;
    let number = |text: &str| text.to_owned();
    world.pay().edit_bills(BillEdit::DropRow { out_trade_no: number("DREAM0000000002") });
    world.pay().edit_bills(BillEdit::DropRefund { out_refund_no: number("R1") });
    let changed = BillEdit::ChangeAmount { out_trade_no: number("DREAM0000000001"), fen: 1 };
    world.pay().edit_bills(changed);
    let foreign = BillEdit::ForeignRow { out_trade_no: number("FOREIGN0001"), fen: 99 };
    world.pay().edit_bills(foreign);
    let text = bill(&world, DAY).await;
    assert!(!text.contains("DREAM0000000002") && !text.contains("`R1,"));
    assert!(text.contains("`0.01") && text.contains("FOREIGN0001") && text.contains("`0.99"));
    assert_eq!(text.lines().count(), 1 + 2 + 2);
    world.pay().clear_bill_edits();
    world.pay().edit_bills(BillEdit::WrongHash);
    let body = world.get(DAY).await.json();
    assert_eq!(body["hash_value"], crypto::sha1_hex(b"another file").as_str());
}
