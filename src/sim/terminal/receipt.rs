//! The slip: two languages, and never more of a card than PCI DSS 3.4.1 lets a slip show.

use super::answer::Answer;
use super::request::Sent;
use super::{Entry, Terminal};
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::Pan;
use std::fmt::Write as _;

/// A slip for one answered sale, authorization or balance inquiry, as lines of text.
///
/// `shop` is the merchant's name. The voucher number is the STAN.
#[must_use]
pub fn text(terminal: &Terminal, shop: &str, entry: Entry, sent: &Sent, answer: &Answer) -> String {
    let came = |role| answer.message.role(role).and_then(|value| value.as_str().map(str::to_owned));
    let asked = |role| sent.message.role(role).and_then(|value| value.as_str().map(str::to_owned));
    let pan = sent.message.role(Role::Pan).and_then(|pan| Pan::parse(&pan));
    let (kind_zh, kind_en) = match sent.kind {
        Kind::Authorization => ("预授权", "AUTHORIZATION"),
        Kind::Balance => ("余额查询", "BALANCE"),
        _ => ("消费", "SALE"),
    };
    let unit = match terminal.setup().currency {
        Currency::CNY => "RMB".to_owned(),
        other => other.to_string(),
    };
    let read = match entry {
        Entry::Chip => "插卡 chip",
        Entry::Swipe => "刷卡 swipe",
        Entry::Tap => "挥卡 tap",
        Entry::Manual => "手输 manual",
        Entry::Qr => "扫码 QR",
    };
    let rows = [
        ("商户名称 MERCHANT", Some(shop.to_owned())),
        ("商户号 MERCHANT NO", Some(terminal.setup().merchant.to_string())),
        ("终端号 TERMINAL", Some(terminal.setup().terminal.to_string())),
        ("卡号 CARD", pan.map(|pan| format!("{} ({read})", pan.masked()))),
        ("交易类型 TYPE", Some(format!("{kind_zh} {kind_en}"))),
        ("批次号 BATCH", terminal.has(Role::Batch).then(|| terminal.memory().batch.to_string())),
        ("凭证号 VOUCHER", asked(Role::Stan)),
        ("授权码 AUTH", answer.approval.map(|code| code.to_string())),
        ("参考号 RRN", answer.rrn.map(|rrn| rrn.to_string())),
        ("日期时间 DATE", date(came(Role::LocalDate), came(Role::LocalTime))),
        ("金额 AMOUNT", answer.amount.filter(|_| sent.kind != Kind::Balance).map(|amount| format!("{unit} {amount}"))),
        ("余额 BALANCE", came(Role::AdditionalAmounts).and_then(|value| balance(&unit, &value))),
    ];
    let mut slip = String::from("----------------------------------------\n");
    for (label, value) in rows {
        if let Some(value) = value {
            let _ = writeln!(slip, "{label}: {value}");
        }
    }
    let outcome = match answer.code {
        Some(code) => format!("{} {} {}", answer.wire_code, code.chinese(), code.text()),
        None => format!("{} 交易失败 declined", answer.wire_code),
    };
    let _ = write!(slip, "应答 ANSWER: {outcome}\n----------------------------------------\n");
    slip
}

fn date(date: Option<String>, time: Option<String>) -> Option<String> {
    let (date, time) = (date?, time?);
    let pair = |text: &str, at: usize| text.get(at..at + 2).map(str::to_owned);
    let (month, day) = (pair(&date, 0)?, pair(&date, 2)?);
    Some(format!("{month}/{day} {}:{}:{}", pair(&time, 0)?, pair(&time, 2)?, pair(&time, 4)?))
}

/// DE 54: account type 2, amount type 2, currency 3, sign 1, amount 12.
fn balance(unit: &str, value: &str) -> Option<String> {
    let amount = Amount::parse(value.get(8..20)?.as_bytes())?;
    let sign = if value.get(7..8)? == "D" { "-" } else { "" };
    Some(format!("{unit} {sign}{amount}"))
}
