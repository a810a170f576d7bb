//! The nouns of the trade. Every type here is well formed by birth and masked by default.
//!
//! Nothing in this room knows a socket, a clock, a disk or a dialect; the other rooms import it and
//! it imports none of them.

mod amount;
mod batch;
mod bin;
mod breach;
mod caller;
mod card;
mod card_class;
mod chance;
mod code;
mod day;
mod download;
mod facts;
mod firmware;
mod hours;
mod key;
mod kind;
mod mac;
mod mcc;
mod number;
mod operator;
mod party;
mod pin;
mod region;
mod request;
mod seal;
mod serial;
mod session;
mod stand_in;
mod time;
mod voucher;
mod zone;

pub use amount::{Amount, Currency};
pub use batch::{BatchEntry, BatchTotals, Direction, Side, Sum, VoidsInTotals};
pub use bin::{BinPrefix, BinTable};
pub use breach::{Breach, line_of};
pub use caller::Caller;
pub use card::{Bin, EntryMethod, Expiry, Icc, MaskedPan, Pan, PinCapability, PosEntryMode, Track2};
pub use card_class::{CardClass, Organisation, Product};
pub use chance::{SplitMix64, back_off};
pub use code::ResponseCode;
pub use day::{CutOver, DayRule, Zone};
pub use download::{DownloadSet, RemoteRequest, Versions};
pub use facts::{Limits, Standing, TerminalFacts};
pub use firmware::Firmware;
pub use hours::TimeOfDay;
pub use key::{KeyBlock, KeyName};
pub use kind::{Kind, MessageClass, OnUnknown};
pub use mac::{MacAlgorithm, MacOutput, MacScheme, Padding};
pub use mcc::Mcc;
pub use number::{ApprovalCode, BatchNumber, ProcessingCode, Rrn, Stan};
pub use operator::Operator;
pub use party::{Acquirer, IssuerName, MerchantId, TerminalId};
pub use pin::{DeviceId, DukptScheme, EncryptedPinBlock, Ksn, PinFormat};
pub use region::Region;
pub use request::{OriginalRef, Request};
pub use seal::{PanToken, SealFault, SealedPan, Sealer};
pub use serial::{SerialFault, SerialMark, SerialStep};
pub use session::{Opening, SessionFacts, WorkingKeys};
pub use stand_in::{DayLimit, StandIn};
pub use time::{BusinessDate, Clock, Entropy, Timestamp};
pub use voucher::Voucher;
pub use zone::{ZoneFacts, ZoneKey, ZoneLine, ZoneUse};
