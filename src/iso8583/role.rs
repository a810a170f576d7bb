//! What an element means to the switch, whatever its number.

/// Declares the roles once: variant, name in dialect files, meaning.
macro_rules! roles {
    ($($name:ident = $text:literal, $doc:literal;)+) => {
        /// The business meaning of an element or of a slice of one; the flows speak in roles, the dialects say where they are.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Role {
            $(
                #[doc = concat!("`", $text, "`: ", $doc, ".")]
                $name,
            )+
        }

        impl Role {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in dialect and profile files.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// From its name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

roles! {
    Pan = "pan", "primary account number, digits";
    ProcessingCode = "processing-code", "6 digits";
    Amount = "amount", "12 digits, minor units";
    TransmissionTime = "transmission-time", "MMDDhhmmss";
    Stan = "stan", "systems trace audit number, 6 digits";
    LocalTime = "local-time", "hhmmss";
    LocalDate = "local-date", "MMDD";
    LocalYear = "local-year", "YY";
    Expiry = "expiry", "YYMM";
    SettlementDate = "settlement-date", "MMDD";
    EntryMode = "entry-mode", "3 digits";
    CardSequence = "card-sequence", "3 digits";
    ConditionCode = "condition-code", "2 digits";
    PinCapture = "pin-capture", "2 digits";
    Acquirer = "acquirer", "acquiring institution, up to 11 digits";
    Track2 = "track2", "digits and `=`, up to 37";
    Track3 = "track3", "digits and `=`, up to 104";
    Rrn = "rrn", "retrieval reference number, 12 characters";
    ApprovalCode = "approval-code", "6 characters";
    ResponseCode = "response-code", "as the dialect's code table writes it";
    Terminal = "terminal", "8 characters";
    Merchant = "merchant", "15 characters";
    AdditionalResponse = "additional-response", "text";
    Currency = "currency", "3 digits, ISO 4217";
    PinBlock = "pin-block", "enciphered PIN block, bytes";
    SecurityControl = "security-control", "16 digits";
    AdditionalAmounts = "additional-amounts", "20 characters an amount";
    Icc = "icc", "chip data, BER-TLV bytes";
    KeyData = "key-data", "working keys and other terminal data, bytes";
    Operator = "operator", "text";
    CardOrganisation = "card-organisation", "whose mark the card bears, text: 3 capital letters first";
    MessageTypeCode = "message-type-code", "2 digits";
    Batch = "batch", "6 digits";
    NetworkCode = "network-code", "network management information, 3 digits";
    OriginalMti = "original-mti", "4 digits";
    OriginalStan = "original-stan", "6 digits";
    OriginalBatch = "original-batch", "6 digits";
    OriginalDate = "original-date", "MMDD";
    OriginalTransmissionTime = "original-transmission-time", "MMDDhhmmss";
    OriginalLocalTime = "original-local-time", "YYMMDDhhmmss";
    OriginalAcquirer = "original-acquirer", "11 digits, zero filled on the left";
    FunctionCode = "function-code", "3 digits";
    ReasonCode = "reason-code", "4 digits";
    OriginalRrn = "original-rrn", "retrieval reference number of the original, 12 characters";
    AdditionalPrivate = "additional-private", "totals, batch details or a tip, digits";
    FromAccount = "from-account", "account that a transfer takes from";
    ToAccount = "to-account", "account that a transfer goes to";
    PaymentCode = "payment-code", "code of a customer's telephone, 19 or 20 digits";
    Voucher = "voucher", "voucher of a payment by code";
    InstalmentData = "instalment-data", "terms of an instalment plan";
    ClosingBatch = "closing-batch", "batch that a settlement is of, 6 digits, where no other message says one";
    ClosingTotals = "closing-totals", "totals of a settlement, 90 digits";
    UploadedStan = "uploaded-stan", "trace number of the transaction that an upload tells, 6 digits";
    ZoneKey = "zone-key", "new key of a zone: what it is, its cipher, its check value; text";
    MerchantType = "merchant-type", "what the merchant trades in, 4 digits";
    MerchantName = "merchant-name", "name and place of the merchant, text";
    TerminalData = "terminal-data", "what the device says of itself: its serial number, its software";
    Location = "location", "where the device is: its position, the radio cell it sees";
    DeviceStatus = "device-status", "what the device noticed of itself: 1, it was opened";
    Mac = "mac", "as the MAC scheme writes it";
    Ksn = "ksn", "key serial number of a DUKPT device, 10 or 12 bytes or their hex digits";
}
