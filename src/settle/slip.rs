//! A receipt printed again, from what is on record.

use super::table::money;
use super::transaction::Standing;
use super::transaction::Transaction;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::registry::Merchant;

/// A slip as lines of text, in Chinese and English, marked as a reprint. Never more of a card than its first six and
/// last four digits.
#[must_use]
pub fn text(of: &Transaction, merchant: Option<&Merchant>) -> String {
    let (kind_zh, kind_en) = titles(of.kind);
    let unit = if of.currency == Currency::CNY { "RMB".to_owned() } else { of.currency.to_string() };
    let name = merchant.map(|merchant| merchant.name.to_string());
    let english = merchant.and_then(|merchant| merchant.name_en.as_ref()).map(ToString::to_string);
    let rows = [
        ("商户名称 MERCHANT", name),
        ("", english),
        ("商户号 MERCHANT NO", Some(of.merchant.to_string())),
        ("终端号 TERMINAL", Some(of.terminal.to_string())),
        ("卡号 CARD", Some(of.masked_pan.to_string())),
        ("发卡方 ISSUER", of.issuer.as_ref().map(ToString::to_string)),
        ("交易类型 TYPE", Some(format!("{kind_zh} {kind_en}"))),
        ("批次号 BATCH", of.batch.map(|batch| batch.to_string())),
        ("凭证号 VOUCHER", Some(of.stan.to_string())),
        ("授权码 AUTH", of.approval.as_deref().map(str::to_owned)),
        ("参考号 RRN", Some(of.rrn.to_string())),
        ("日期时间 DATE", Some(local(of))),
        ("清算日期 SETTLED", of.settles.map(|date| date.to_string())),
        ("金额 AMOUNT", Some(format!("{unit} {}", money(of.approved(), of.currency)))),
        ("应答 ANSWER", of.code.as_deref().map(answer)),
        ("状态 STATUS", Some(status(of.standing).to_owned())),
    ];
    let rule = "----------------------------------------\n";
    let mut slip = format!("{rule}*** 重印凭证 REPRINT ***\n");
    for (label, value) in rows {
        match value {
            Some(value) if label.is_empty() => slip.push_str(&format!("  {value}\n")),
            Some(value) => slip.push_str(&format!("{label}: {}\n", value.trim_end())),
            None => {}
        }
    }
    slip + rule
}

fn local(of: &Transaction) -> String {
    let digits = of.received.digits(of.offset_minutes);
    let pair = |at: usize| digits.get(at..at + 2).map(String::from_utf8_lossy).unwrap_or_default();
    format!("{} {}:{}:{}", of.received.date(of.offset_minutes), pair(6), pair(8), pair(10))
}

fn answer(code: &str) -> String {
    match ResponseCode::parse(code) {
        Some(known) => format!("{code} {} {}", known.chinese(), known.text()),
        None => code.to_owned(),
    }
}

fn status(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "未完成 not decided",
        Standing::Approved => "成功 approved",
        Standing::Nothing => "未成功 not approved",
        Standing::Undone => "已冲正 reversed",
        Standing::DeadLetter => "异常 refused by the issuer, see the operator",
    }
}

/// What a kind is called on slips.
fn titles(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Sale => ("消费", "SALE"),
        Kind::OfflineSale => ("离线消费", "OFFLINE SALE"),
        Kind::SaleVoid => ("消费撤销", "VOID"),
        Kind::Refund => ("退货", "REFUND"),
        Kind::OfflineRefund => ("离线退货", "OFFLINE REFUND"),
        Kind::Authorization => ("预授权", "AUTHORIZATION"),
        Kind::AuthorizationAdvice => ("预授权通知", "AUTHORIZATION ADVICE"),
        Kind::AuthorizationVoid => ("预授权撤销", "AUTHORIZATION VOID"),
        Kind::Increment => ("追加预授权", "INCREMENT"),
        Kind::Completion => ("预授权完成请求", "COMPLETION"),
        Kind::CompletionAdvice => ("预授权完成通知", "COMPLETION ADVICE"),
        Kind::CompletionVoid => ("预授权完成撤销", "COMPLETION VOID"),
        Kind::Adjustment => ("结算调整", "ADJUSTMENT"),
        Kind::Balance => ("余额查询", "BALANCE"),
        Kind::Verification => ("账户验证", "VERIFICATION"),
        Kind::Transfer => ("转账", "TRANSFER"),
        other => ("其他", other.name()),
    }
}
