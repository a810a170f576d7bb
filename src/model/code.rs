//! Answers. A decline is a value, not an error.

use std::fmt;

/// Declares the canonical codes once: variant, two characters, meaning, in order of precedence.
macro_rules! response_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal, $chinese:literal;)+) => {
        /// What an answer says, whatever its dialect writes; DE 39.
        ///
        /// The order is precedence: where several checks decline, the smallest code is answered.
        /// The two characters are those of ISO 8583:1987 with the UnionPay additions; the texts for
        /// receipts are ours.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum ResponseCode {
            $(
                #[doc = concat!("`", $code, "`: ", $text, ".")]
                $name,
            )+
        }

        impl ResponseCode {
            /// All of them, in order of precedence.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The two characters.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The meaning, in English.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// The meaning, in Chinese, as terminals print it.
            #[must_use]
            pub fn chinese(self) -> &'static str {
                match self { $(Self::$name => $chinese),+ }
            }

            /// From the two characters.
            #[must_use]
            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

response_codes! {
    FormatError = "30", "format error", "报文格式错误";
    MacFailure = "A0", "MAC failure, sign in again", "MAC校验错,重新签到";
    TerminalUnknown = "97", "terminal not registered", "终端未登记";
    TerminalForbidden = "58", "not permitted to terminal", "不允许终端进行的交易";
    MerchantInvalid = "03", "invalid merchant", "无效商户";
    SignInRequired = "77", "sign in again", "请重新签到";
    DuplicateMismatch = "94", "duplicate number, other content", "重复交易";
    OriginalNotFound = "25", "original not found", "找不到原交易";
    RelatedInvalid = "12", "invalid transaction", "无效交易";
    RelatedFailed = "22", "related transaction in error", "关联交易错误";
    OriginalAmountWrong = "64", "original amount wrong", "原始金额错误";
    FunctionUnsupported = "40", "function not supported", "功能不支持";
    Unbalanced = "95", "totals differ, upload the batch", "对账不平,请上送明细";
    AmountInvalid = "13", "invalid amount", "无效金额";
    CardInvalid = "14", "invalid card number", "无效卡号";
    IssuerUnknown = "15", "no such issuer", "无此发卡方";
    CardStolen = "43", "stolen card, capture", "被窃卡";
    CardLost = "41", "lost card, capture", "挂失卡";
    FraudCapture = "34", "suspected fraud, capture", "有作弊嫌疑";
    CardCapture = "04", "capture card", "没收卡";
    CardExpired = "54", "expired card", "过期卡";
    CardRestricted = "62", "restricted card", "受限制的卡";
    CardNotInitialised = "21", "card not initialised", "卡未初始化";
    CardholderForbidden = "57", "not permitted to cardholder", "不允许持卡人进行的交易";
    FallbackForbidden = "45", "fallback not allowed, use the chip", "不允许降级交易";
    FraudSuspected = "59", "suspected fraud", "有作弊嫌疑";
    PinTriesExceeded = "38", "PIN tries exceeded, capture", "密码错误次数超限";
    PinTriesLimit = "75", "PIN tries exceeded", "密码输入次数超限";
    PinRequired = "70", "PIN required", "请输入密码";
    PinFormat = "99", "PIN block error, sign in again", "PIN格式错,重新签到";
    PinWrong = "55", "wrong PIN", "密码错误";
    NotAuthenticated = "05", "do not honour", "身份认证失败";
    ReferToIssuer = "01", "refer to issuer", "请联系发卡方";
    AmountLimit = "61", "amount limit exceeded", "超出金额限制";
    CountLimit = "65", "count limit exceeded", "超出取款次数限制";
    FundsInsufficient = "51", "insufficient funds", "资金不足";
    SecurityFailure = "A7", "security processing failed", "安全处理失败";
    TransferCurrency = "A1", "transfer currency differs", "转账货币不一致";
    AccountUnknown = "A3", "no such account", "无此账户";
    CutOver = "90", "cut-over in progress", "日期切换正在处理";
    IssuerInoperative = "91", "issuer or line down", "发卡方状态不正常";
    IssuerUnreachable = "92", "issuer unreachable", "发卡方线路异常";
    Timeout = "68", "issuer did not answer in time", "应答超时";
    InProgress = "09", "request in progress", "请求正在处理";
    NoResponse = "98", "no response received", "收不到应答";
    SystemFailure = "96", "system failure", "交换中心异常";
    ApprovedPartial = "10", "approved for a part", "部分金额批准";
    ApprovedVip = "11", "approved, VIP", "VIP批准";
    ApprovedTrack3 = "16", "approved, update track 3", "批准更新第三磁道";
    ApprovedFlawA2 = "A2", "approved with a flaw", "有缺陷的成功";
    ApprovedFlawA4 = "A4", "approved with a flaw", "有缺陷的成功";
    ApprovedFlawA5 = "A5", "approved with a flaw", "有缺陷的成功";
    ApprovedFlawA6 = "A6", "approved with a flaw", "有缺陷的成功";
    Approved = "00", "approved", "交易成功";
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl ResponseCode {
    /// Whether money may have moved by this answer. Dialects say the same of their own codes in rows
    /// (rules of the money, 7); a test compares the two.
    #[must_use]
    pub fn is_approval(self) -> bool {
        self >= Self::ApprovedPartial
    }
}
