//! What is printed: two languages, two copies, and never more of a card than PCI DSS 3.4.1 lets a slip show.

use super::answer::Answer;
use super::log::Settled;
use super::request::Sent;
use super::slip::{Side, Slip, Standing};
use super::{Entry, Terminal};
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Sum;

const RULE: &str = "----------------------------------------";
/// Without PIN and signature: the most that a contactless payment may be, in minor units.
const NO_SIGNATURE: u64 = 100_000;

/// Who gets a receipt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holder {
    /// It stays in the shop.
    Merchant,
    /// The customer takes it along.
    Cardholder,
}

/// What a kind is called on paper, in Chinese and English.
#[must_use]
pub fn title(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Sale => ("消费", "SALE"),
        Kind::Authorization | Kind::AuthorizationAdvice => ("预授权", "AUTHORIZATION"),
        Kind::Balance => ("余额查询", "BALANCE"),
        Kind::SaleVoid => ("消费撤销", "VOID"),
        Kind::AuthorizationVoid => ("预授权撤销", "AUTHORIZATION VOID"),
        Kind::Increment => ("追加预授权", "INCREMENT"),
        Kind::Completion => ("预授权完成", "COMPLETION"),
        Kind::CompletionAdvice => ("预授权完成通知", "COMPLETION ADVICE"),
        Kind::CompletionVoid => ("预授权完成撤销", "COMPLETION VOID"),
        Kind::Refund => ("退货", "REFUND"),
        Kind::OfflineSale => ("离线消费", "OFFLINE SALE"),
        Kind::OfflineRefund => ("离线退货", "OFFLINE REFUND"),
        Kind::Adjustment => ("小费调整", "TIP"),
        Kind::Verification => ("持卡人验证", "VERIFICATION"),
        Kind::Transfer => ("转账", "TRANSFER"),
        Kind::ScriptNotice => ("脚本结果通知", "SCRIPT NOTICE"),
        Kind::Reversal => ("冲正", "REVERSAL"),
        Kind::SignIn => ("签到", "SIGN-IN"),
        Kind::SignOff => ("签退", "SIGN-OFF"),
        Kind::Echo => ("回响测试", "ECHO"),
        Kind::Settlement => ("批结算", "SETTLEMENT"),
        Kind::BatchUpload => ("批上送", "BATCH UPLOAD"),
        Kind::Download => ("参数下载", "DOWNLOAD"),
        Kind::KeyChange => ("密钥更换", "KEY CHANGE"),
    }
}

fn unit(terminal: &Terminal) -> String {
    match terminal.setup().currency {
        Currency::CNY => "RMB".to_owned(),
        other => other.to_string(),
    }
}

fn reader(entry: Entry) -> &'static str {
    match entry {
        Entry::Chip => "插卡 chip",
        Entry::Swipe => "刷卡 swipe",
        Entry::Tap => "挥卡 tap",
        Entry::Manual => "手输 manual",
        Entry::Qr => "扫码 QR",
    }
}

fn lines(rows: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let told = rows.into_iter().filter_map(|(label, value)| Some(format!("{label}: {}\n", value?)));
    told.collect()
}

/// One copy of an approved transaction's receipt. A second print says that it is one.
#[must_use]
pub fn copy(terminal: &Terminal, shop: &str, slip: &Slip, holder: Holder, again: bool) -> String {
    let (zh, en) = title(slip.kind);
    let unit = unit(terminal);
    let gives_back = matches!(slip.side(), Some(Side::Credit | Side::Void));
    let sign = if gives_back { "-" } else { "" };
    let account = slip.account.as_ref();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (day, time) = slip.at.map(|(day, time)| (text(&day), text(&time))).unzip();
    let code = ResponseCode::parse(&slip.code);
    let rows = [
        ("商户名称 MERCHANT", Some(shop.to_owned())),
        ("商户号 MERCHANT NO", Some(terminal.setup().merchant.to_string())),
        ("终端号 TERMINAL", Some(terminal.setup().terminal.to_string())),
        ("操作员 OPERATOR", slip.operator.clone()),
        ("卡号 CARD", account.map(|account| format!("{} ({})", account.masked(), reader(slip.entry)))),
        ("卡组织 ORGANISATION", account.map(|account| account.organisation().to_owned())),
        ("交易类型 TYPE", Some(format!("{zh} {en}"))),
        ("批次号 BATCH", terminal.has(Role::Batch).then(|| slip.batch.to_string())),
        ("凭证号 VOUCHER", Some(slip.stan.to_string())),
        ("原凭证号 ORIGINAL", slip.original.map(|stan| stan.to_string())),
        ("授权码 AUTH", slip.approval.map(|code| code.to_string())),
        ("参考号 RRN", slip.rrn.map(|rrn| rrn.to_string())),
        ("日期时间 DATE", date(day, time)),
        ("金额 AMOUNT", Some(format!("{unit} {sign}{}", slip.amount))),
        ("小费 TIP", Some(slip.tip).filter(|tip| *tip != Amount::ZERO).map(|tip| format!("{unit} {tip}"))),
        ("应答 ANSWER", code.map(|code| format!("{} {} {}", slip.code, code.chinese(), code.text()))),
        ("备注 NOTE", (slip.standing == Standing::Voided).then(|| "已撤销 voided".to_owned())),
    ];
    let head = match holder {
        Holder::Merchant => "商户存根 MERCHANT COPY",
        Holder::Cardholder => "持卡人存根 CARDHOLDER COPY",
    };
    let mark = if again { "重打印 REPRINT\n" } else { "" };
    let end = match holder {
        Holder::Merchant => signature(slip),
        Holder::Cardholder => "请妥善保管 please keep this copy",
    };
    format!("{RULE}\n{head}\n{mark}{}{end}\n{RULE}\n", lines(rows))
}

fn signature(slip: &Slip) -> &'static str {
    let small = slip.entry == Entry::Tap && slip.amount.minor() <= NO_SIGNATURE;
    if small || slip.entry == Entry::Qr {
        "免签 no signature needed"
    } else {
        "持卡人签名 SIGNATURE: ________________"
    }
}

/// The sheet of a closed batch.
#[must_use]
pub fn settlement(terminal: &Terminal, shop: &str, settled: &Settled) -> String {
    let unit = unit(terminal);
    let sum = |sum: Sum| {
        let amount = Amount::new(sum.amount).map_or_else(|| "too large".to_owned(), |amount| amount.to_string());
        Some(format!("{} / {unit} {amount}", sum.count))
    };
    let totals = settled.totals;
    let outcome =
        if settled.balanced { "对账平 BALANCED" } else { "对账不平,已上送明细 UNBALANCED, UPLOADED" };
    let rows = [
        ("商户名称 MERCHANT", Some(shop.to_owned())),
        ("商户号 MERCHANT NO", Some(terminal.setup().merchant.to_string())),
        ("终端号 TERMINAL", Some(terminal.setup().terminal.to_string())),
        ("操作员 OPERATOR", terminal.memory().operator.clone()),
        ("批次号 BATCH", Some(settled.batch.to_string())),
        ("内卡借记 DOMESTIC DEBIT", sum(totals.domestic.debit)),
        ("内卡贷记 DOMESTIC CREDIT", sum(totals.domestic.credit)),
        ("外卡借记 FOREIGN DEBIT", sum(totals.foreign.debit)),
        ("外卡贷记 FOREIGN CREDIT", sum(totals.foreign.credit)),
    ];
    format!("{RULE}\n结算单 SETTLEMENT\n{}{outcome}\n{RULE}\n", lines(rows))
}

/// A slip for one answered request that leaves no receipt, an inquiry or a decline, as lines of text.
///
/// `shop` is the merchant's name. The voucher number is the STAN.
#[must_use]
pub fn text(terminal: &Terminal, shop: &str, entry: Entry, sent: &Sent, answer: &Answer) -> String {
    let came = |role| answer.message.role(role).and_then(|value| value.as_str().map(str::to_owned));
    let asked = |role| sent.message.role(role).and_then(|value| value.as_str().map(str::to_owned));
    let pan = sent.message.role(Role::Pan).and_then(|pan| Pan::parse(&pan));
    let (kind_zh, kind_en) = title(sent.kind);
    let (unit, read) = (unit(terminal), reader(entry));
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
    let outcome = match answer.code {
        Some(code) => format!("{} {} {}", answer.wire_code, code.chinese(), code.text()),
        None => format!("{} 交易失败 declined", answer.wire_code),
    };
    format!("{RULE}\n{}应答 ANSWER: {outcome}\n{RULE}\n", lines(rows))
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
