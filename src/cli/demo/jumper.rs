//! The demo's jump machine: a terminal that sells in one region and moments later in another. A rule catches it, and
//! suspends it; its batch it may settle all the same.

use crate::channel;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::hsm::calculator::ClearPin;
use crate::ledger::Ledger;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::ResponseCode;
use crate::model::Subject;
use crate::model::TerminalId;
use crate::server::SystemEntropy;
use crate::server::run::Running;
use crate::sim::cards::CardUse;
use crate::sim::cards::TestCard;
use crate::sim::terminal::Card;
use crate::sim::terminal::Entry;
use crate::sim::terminal::Habits;
use crate::sim::terminal::Memory;
use crate::sim::terminal::Order;
use crate::sim::terminal::Purchase;
use crate::sim::terminal::Served;
use crate::sim::terminal::Settlement;
use crate::sim::terminal::Setup;
use crate::sim::terminal::Terminal;
use crate::sim::terminal::demo_pin_pad;
use crate::sim::terminal::demo_serial;
use crate::sim::terminal::drive::Driver;
use crate::sim::terminal::drive::Outcome;
use crate::sim::terminal::drive::Target;
use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tokio::runtime::Builder;

/// Who jumps.
const TERMINAL: &[u8; 8] = b"10000009";
/// Its merchant's number, in Beijing; and the one it writes in Shanghai.
const NUMBERS: [&[u8; 15]; 2] = [b"898110054110009", b"898290054110009"];
/// How much it sells, in minor units.
const MINOR: u64 = 100;
/// How long links may take to come up, and how often is looked.
const LINKS_UP_WITHIN: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(50);

/// Lets the terminal jump and says what came of it. One that was caught in an earlier run of the same folder stays
/// where it is.
pub(super) fn jump(out: &mut dyn Write, running: &Running, cards: &[TestCard], target: Target) -> Result<(), Failure> {
    let Some(terminal) = TerminalId::parse(TERMINAL) else { return Ok(()) };
    let subject = Subject::Terminal(terminal);
    if let Some(ladder) = running.parts().ledger.ladder(&subject) {
        writeln!(out, "terminal {terminal} jumped between regions in an earlier run: {}\n", ladder.standing.name())?;
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let codes = runtime.block_on(sales(terminal, cards, target))?;
    let [first, second, third] = codes.map(|code| code.map_or("no answer", ResponseCode::code));
    writeln!(out, "terminal {terminal} sells in region 1100 ({first}), then in 2900 ({second}), then again ({third})")?;
    if let Some(ladder) = running.parts().ledger.ladder(&subject) {
        let why = ladder.entries.back().map_or("", |entry| &entry.reason);
        writeln!(
            out,
            "  it is {}: {why}; `tollgate risk state --data .. --terminal {terminal}`\n",
            ladder.standing.name()
        )?;
    }
    out.flush()?;
    Ok(())
}

/// Three sales: at home, elsewhere, at home again; then it settles what it sold.
async fn sales(terminal: TerminalId, cards: &[TestCard], target: Target) -> Result<[Option<ResponseCode>; 3], Failure> {
    let mut codes = [None; 3];
    let Some([home, away]) = merchants() else { return Ok(codes) };
    let Some(card) = cards.iter().find(|card| card.used_by == CardUse::Traffic) else { return Ok(codes) };
    let mut driver = driver(terminal, home, target)?;
    let pin = ClearPin::parse(card.pin().as_bytes()).ok();
    let card = Card::of(card);
    let Some(amount) = Amount::new(MINOR) else { return Ok(codes) };
    let purchase = |kind| Purchase { kind, amount, card: &card, entry: Entry::Chip, pin: pin.as_ref() };
    wait_for_issuer(&mut driver, &purchase(Kind::Balance)).await?;
    for (code, claims) in codes.iter_mut().zip([None, Some(away), None]) {
        driver.terminal_mut().pretend(claims);
        *code = asked(&mut driver, &purchase(Kind::Sale)).await?;
    }
    match driver.settle().await.map_err(broken)? {
        Settlement::Closed(_) | Settlement::ByHost => Ok(codes),
        Settlement::Stopped(last) => {
            let answer = last.as_ref().and_then(Outcome::answer).map_or("no answer", |answer| &answer.wire_code);
            Err(broken(format!("a suspended terminal could not settle: {answer}")))
        }
    }
}

/// Inquires until the card's issuer answers: the links of a station that starts come up one by one.
async fn wait_for_issuer(driver: &mut Driver, inquiry: &Purchase<'_>) -> Result<(), Failure> {
    let until = Instant::now() + LINKS_UP_WITHIN;
    while asked(driver, inquiry).await? != Some(ResponseCode::Approved) && Instant::now() < until {
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

async fn asked(driver: &mut Driver, purchase: &Purchase<'_>) -> Result<Option<ResponseCode>, Failure> {
    let served = driver.serve(&Order::Purchase(purchase)).await.map_err(broken)?;
    let Served::Asked(_, outcome) = served else { return Ok(None) };
    Ok(outcome.answer().and_then(|answer| answer.code))
}

fn merchants() -> Option<[MerchantId; 2]> {
    let [home, away] = NUMBERS.map(|number| MerchantId::parse(number));
    Some([home?, away?])
}

fn driver(terminal: TerminalId, merchant: MerchantId, target: Target) -> Result<Driver, Failure> {
    let profile = channel::builtin::profile("pos").ok_or_else(|| broken("no profile pos"))?;
    let pad = demo_pin_pad(terminal, true, Arc::new(SystemEntropy)).map_err(broken)?;
    let pad = pad.ok_or_else(|| broken("the jump machine has no key"))?;
    let setup = Setup {
        profile,
        terminal,
        merchant,
        currency: Currency::CNY,
        offset_minutes: 480,
        encrypt_tracks: false,
        habits: Habits { serial: demo_serial(terminal), ..Habits::default() },
    };
    Ok(Driver::new(Terminal::new(setup, pad, Memory::default()).map_err(broken)?, target, ()))
}

fn broken(what: impl Display) -> Failure {
    Failure::new(Exit::No, format!("the jump machine: {what}"))
}
