//! One line for each thing that passes: masked, with what a terminal developer looks for first.

use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::Pan;
use crate::sim::terminal::Answer;
use crate::sim::terminal::ChipCheck;
use crate::sim::terminal::MacCheck;
use crate::sim::terminal::Sent;
use crate::sim::terminal::Standing;
use crate::sim::terminal::Terminal as Pos;
use crate::sim::terminal::drive::Event;
use std::fmt::Write as _;

/// The batch: a line a slip, and its totals.
pub(super) fn log(terminal: &Pos) -> String {
    let memory = terminal.memory();
    let mut text = format!("batch {}\n", memory.batch);
    for slip in &memory.log.slips {
        let standing = match slip.standing {
            Standing::Stands => "",
            Standing::Voided => "  voided",
            Standing::Refused => "  refused by the host",
        };
        let card = slip.account.as_ref().map(|account| format!("  {}", account.masked())).unwrap_or_default();
        let original = slip.original.map(|stan| format!("  of {stan}")).unwrap_or_default();
        let _ = writeln!(text, "{}  {:<18} {:>12}{card}{original}{standing}", slip.stan, slip.kind.name(), slip.amount);
    }
    let _ = writeln!(text, "totals: {}", terminal.totals());
    for (name, blocks) in &memory.lists {
        let _ = writeln!(text, "{name}: {} blocks", blocks.len());
    }
    if terminal.untold() > 0 {
        let _ = writeln!(text, "not told yet: {}", terminal.untold());
    }
    if memory.chips.refused > 0 {
        let _ = writeln!(text, "answers that a chip refused: {}", memory.chips.refused);
    }
    if memory.pending.is_some() {
        text.push_str("a reversal is pending\n");
    }
    if memory.log.closing.is_some() {
        text.push_str("a settlement is under way: `settle` goes on with it\n");
    }
    text
}

/// An event as a line.
pub(super) fn event(event: &Event<'_>) -> String {
    match event {
        Event::Sending(sent) => sending(sent),
        Event::Answered(answer) => answered(answer),
        Event::Unexpected(unexpected) => format!("?? not our answer: {unexpected}"),
        Event::Broken => "?? the host closed the connection".to_owned(),
    }
}

fn sending(sent: &Sent) -> String {
    let text = |role| text(&sent.message, role);
    let amount = sent.message.role(Role::Amount).and_then(|amount| Amount::parse(&amount));
    let pan = sent.message.role(Role::Pan).and_then(|pan| Pan::parse(&pan));
    let parts = [
        Some(format!("-> {} {}", sent.mti.as_str(), sent.kind.name())),
        amount.map(|amount| amount.to_string()),
        pan.map(|pan| pan.masked().to_string()),
        text(Role::Stan).map(|stan| format!("STAN {stan}")),
        text(Role::EntryMode).map(|mode| format!("entry {mode}")),
        sent.message.role(Role::PinBlock).map(|_| "PIN".to_owned()),
        sent.message.mac().map(|_| "MAC".to_owned()),
        Some(format!("{} bytes", sent.unit.len())),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn answered(answer: &Answer) -> String {
    let mti = answer.message.mti().map_or("????".to_owned(), |mti| mti.as_str().to_owned());
    let meaning = answer.code.map_or("unknown code".to_owned(), |code| format!("{} {}", code.text(), code.chinese()));
    let mac = match answer.mac {
        MacCheck::Ok => Some("MAC ok"),
        MacCheck::Wrong => Some("MAC WRONG"),
        MacCheck::Missing => Some("MAC missing"),
        MacCheck::None => None,
    };
    let chip = match answer.chip {
        ChipCheck::Ok => Some("ARPC ok"),
        ChipCheck::Wrong => Some("ARPC WRONG"),
        ChipCheck::Missing => Some("no ARPC"),
        ChipCheck::None => None,
    };
    let parts = [
        Some(format!("<- {mti} {} {meaning}", answer.wire_code)),
        text(&answer.message, Role::Stan).map(|stan| format!("STAN {stan}")),
        answer.rrn.map(|rrn| format!("RRN {rrn}")),
        answer.approval.map(|code| format!("auth {code}")),
        mac.map(str::to_owned),
        chip.map(str::to_owned),
        answer.keys.map(|fault| format!("keys refused: {fault}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn text(message: &Message, role: Role) -> Option<String> {
    message.role(role)?.as_str().map(str::to_owned)
}
