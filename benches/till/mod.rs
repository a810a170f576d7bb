//! What the benches of ledger and settlement sell, and how they write it down.

use bytes::Bytes;
use smallvec::SmallVec;
use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use tollgate::ledger::Answer;
use tollgate::ledger::BatchClose;
use tollgate::ledger::ClosedBy;
use tollgate::ledger::Decision;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Identity;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::OpenedLedger;
use tollgate::ledger::Outbound;
use tollgate::ledger::Outcome;
use tollgate::ledger::Scope;
use tollgate::ledger::journal::Folder;
use tollgate::ledger::journal::JournalId;
use tollgate::ledger::journal::Options;
use tollgate::ledger::journal::Step;
use tollgate::model::Acquirer;
use tollgate::model::Amount;
use tollgate::model::ApprovalCode;
use tollgate::model::BatchNumber;
use tollgate::model::BusinessDate;
use tollgate::model::CardClass;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::MessageClass;
use tollgate::model::Pan;
use tollgate::model::PanToken;
use tollgate::model::PosEntryMode;
use tollgate::model::ProcessingCode;
use tollgate::model::ResponseCode;
use tollgate::model::SealedPan;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::model::VoidsInTotals;
use tollgate::risk::Scene;

pub(crate) const OPTIONS: Options = Options { segment_bytes: 64 << 20, new_id: JournalId(*b"made for a bench") };
pub(crate) const TERMINALS: u64 = 10_000;

/// Does what needs nobody else; records are pushed by then, whether or not they are durable.
pub(crate) fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Processor seconds of this thread so far.
pub(crate) fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// A line of `/proc/self/status`, in MiB: `VmRSS:` is what is resident, `VmHWM:` the most that ever was.
pub(crate) fn memory(line: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|text| text.starts_with(line)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

pub(crate) fn terminal(number: u64) -> TerminalId {
    TerminalId::parse(format!("{:08}", number % TERMINALS).as_bytes()).unwrap()
}

/// The sale number `number` of a day, as a terminal with a chip card sends it.
pub(crate) fn sale(ledger: &EmbeddedLedger, number: u64, date: BusinessDate, received: Timestamp) -> Intent {
    let (id, rrn) = ledger.number(date);
    let stan = Stan::new(u32::try_from(number / TERMINALS % 999_999 + 1).unwrap()).unwrap();
    let scope = Scope(SmallVec::from_slice(b"000001"));
    let issuer = IssuerName::parse("bank-a").unwrap();
    Intent {
        id,
        rrn,
        identity: Identity { terminal: terminal(number), stan, scope, class: MessageClass::Financial },
        content: [7; 32],
        kind: Kind::Sale,
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        acquirer: Acquirer::parse(b"89811000").unwrap(),
        test_mode: false,
        date,
        received,
        offset_minutes: 480,
        processing_code: ProcessingCode::parse(b"000000").unwrap(),
        amount: Amount::new(100 + number % 10_000).unwrap(),
        currency: Currency::CNY,
        entry_mode: PosEntryMode::parse(b"051").unwrap(),
        card_sequence: Some(*b"001"),
        condition_code: Some(*b"00"),
        expiry: None,
        pan: SealedPan::new(Bytes::from_static(&[0x5A; 44])),
        token: PanToken([3; 32]),
        masked: Pan::parse(b"6225000000000253").unwrap().masked(),
        refusal: None,
        reservations: SmallVec::new(),
        outbound: Some(Outbound { issuer, stan, sent: received, icc: None }),
        follows: None,
        batch: None,
        card: CardClass::default(),
        operator: None,
        scene: Scene::default(),
        risk: None,
        echo: false,
    }
}

/// Its intent, and an approval.
pub(crate) fn approve(ledger: &EmbeddedLedger, intent: Intent) {
    let (id, received) = (intent.id, intent.received);
    let _ = once(ledger.intend(intent));
    let approval = ApprovalCode::parse(b"A1B2C3");
    let answer = Answer { approval, ..Answer::of(ResponseCode::Approved, received) };
    let _ = once(ledger.decide(id, Decision::of(Outcome::Approved, answer)));
}

/// The settlement of a terminal's first batch.
pub(crate) fn close(terminal: TerminalId, merchant: MerchantId, date: BusinessDate, received: Timestamp) -> BatchClose {
    BatchClose {
        terminal,
        batch: BatchNumber::FIRST,
        told_as: None,
        apart: true,
        merchant,
        test_mode: false,
        claimed: None,
        voids: VoidsInTotals::default(),
        date,
        received,
        by: ClosedBy::Terminal,
        session: None,
    }
}

pub(crate) fn write_all(opened: &mut OpenedLedger<Folder>) {
    loop {
        match opened.writer.step(Timestamp(0)).unwrap() {
            Step::Wrote(_) => {}
            Step::Blocked => _ = opened.preparer.step().unwrap(),
            Step::Idle | Step::Ended => break,
        }
    }
}
