//! What the demo says.

use super::folder::Folder;
use super::verify::Comparison;
use crate::flow::Parts;
use crate::ledger::Found;
use crate::ledger::Ledger;
use crate::model::Amount;
use crate::model::ResponseCode;
use crate::server::run::Recovered;
use crate::server::run::Running;
use crate::server::station::Real;
use crate::sim::cards::CardUse;
use crate::sim::cards::TestCard;
use crate::sim::load::Live;
use std::io;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Doors, cards and commands to try.
pub(super) fn welcome(out: &mut dyn Write, running: &Running, folder: &Folder, cards: &[TestCard]) -> io::Result<()> {
    let data = if folder.is_kept() { "data kept in" } else { "throwaway data in" };
    let folder = folder.path();
    writeln!(out, "tollgate {} demo: TEST KEYS, {data} {}", env!("CARGO_PKG_VERSION"), folder.display())?;
    writeln!(out, "\ndoors")?;
    for door in running.doors() {
        let tls = if door.tls.is_some() { ", mutual TLS" } else { "" };
        writeln!(out, "  {:<5} {:<16} {}{tls}", door.name, door.listen.to_string(), door.profile.title)?;
    }
    writeln!(out, "  tls files: ca.pem, client.pem and client.key in {}", folder.display())?;
    writeln!(
        out,
        "  trace 127.0.0.1:8586   tollgate trace\n  metrics 127.0.0.1:9464 tollgate top, /metrics, /readyz\n\nissuers"
    )?;
    for issuer in running.parts().registry.load().issuers() {
        writeln!(out, "  {:<7} {:<16} {}", issuer.name.as_str(), issuer.address, issuer.profile)?;
    }
    writeln!(
        out,
        "\nterminal 10000001, merchant 898110054110001, master key check value 08D7B4; simulated traffic uses 10000010 and up"
    )?;
    writeln!(out, "\ncards for visitors")?;
    for card in cards.iter().filter(|card| card.used_by == CardUse::Visitor) {
        let expiry = card.expiry.digits();
        let expiry = String::from_utf8_lossy(&expiry);
        writeln!(out, "  {} exp {expiry} PIN {:<6} {} {}", card.pan.clear(), card.pin(), card.issuer, card.balance)?;
    }
    for wallet in cards.iter().filter(|card| card.used_by == CardUse::Wallet) {
        let (number, issuer, balance) = (wallet.pan.clear(), &wallet.issuer, wallet.balance);
        writeln!(
            out,
            "  {number}   a wallet: its payment codes end in 3 or 4 digits more, each good once; {issuer} {balance}"
        )?;
    }
    writeln!(
        out,
        "\ntry, in a second shell\n  \
         tollgate terminal sign-in\n  \
         tollgate terminal sale 12.00 --card visitor-a      approved\n  \
         tollgate terminal sale 12.51 --card visitor-a      declined 51: the cents choose the answer\n  \
         tollgate terminal sale 666.02 --card visitor-b     the issuer is silent: 68, and the money is undone\n  \
         tollgate terminal --door dukpt sale 12.00          as a DUKPT device, a key for each transaction\n  \
         tollgate terminal --tid 10000002 sale 5.00         then again with --claim-mid 898290054110002: a jump, suspended\n  \
         tollgate terminal sale 5.00 --bad-arqc             a copied chip: 05\n  \
         tollgate terminal qr-sale 5.00 --code 62210000000000180001   a customer's code, good once\n  \
         tollgate trace --tid 10000001                      every frame, masked, and why it was refused\n  \
         tollgate issuer rules                              all amounts that make trouble\n\nCtrl-C ends it.\n"
    )?;
    out.flush()
}

/// What the start found in the folder; nothing of one that goes away with the demo.
pub(super) fn recovered(out: &mut dyn Write, recovered: &Recovered, folder: &Folder) -> io::Result<()> {
    let found = recovered.found.as_ref().filter(|_| folder.is_kept());
    let Some(Found { is_new, transactions, torn, .. }) = found else { return Ok(()) };
    if *is_new {
        writeln!(out, "a new ledger: kill this as you like, and start it again with the same --data\n")?;
        return out.flush();
    }
    let Recovered { open, owed, took, .. } = recovered;
    let torn = match torn {
        None => "no torn end".to_owned(),
        Some(torn) => format!("an unfinished write of {} bytes at the end was cut, nobody was told of it", torn.bytes),
    };
    writeln!(
        out,
        "recovered in {:.2} s: {transactions} transactions; {open} were open and are decided timed out; \
         {owed} messages are owed to issuers; {torn}\n",
        took.as_secs_f64()
    )?;
    out.flush()
}

/// One line, drawn over itself.
pub(super) fn live(out: &mut dyn Write, running: &Running, since: Duration) -> io::Result<()> {
    let codes = running.parts().witness.codes();
    let total: u64 = codes.values().sum();
    let approves = |code: &str| ResponseCode::parse(code).is_some_and(ResponseCode::is_approval);
    let approved: u64 = codes.iter().filter(|(code, _)| approves(code)).map(|(_, count)| count).sum();
    let seconds = since.as_secs_f64().max(0.001);
    let rate = f64::from(u32::try_from(total).unwrap_or(u32::MAX)) / seconds;
    write!(
        out,
        "\r{seconds:6.1} s  {total} answered  {rate:.1}/s  {approved} approved  {} declined or refused  {} owed \x1b[K",
        total - approved,
        running.owed()
    )?;
    out.flush()
}

/// Outcomes and latency of this run.
pub(super) fn goodbye(out: &mut dyn Write, parts: &Parts<Real>, live: Option<&Live>, took: Duration) -> io::Result<()> {
    writeln!(out, "\n\nanswers by response code, {:.1} s", took.as_secs_f64())?;
    for (code, count) in parts.witness.codes() {
        let text = ResponseCode::parse(code).map_or("", ResponseCode::text);
        writeln!(out, "  {code}  {count:>8}  {text}")?;
    }
    if let Some(live) = live {
        let quantile = |at: f64| live.latency(at).as_secs_f64() * 1e3;
        let sent = live.sent.load(Ordering::Relaxed);
        writeln!(out, "simulated sales: {sent} sent, p50 {:.2} ms, p99 {:.2} ms", quantile(0.5), quantile(0.99))?;
        let [balanced, unbalanced, unsettled] =
            [&live.balanced, &live.unbalanced, &live.unsettled].map(|count| count.load(Ordering::Relaxed));
        writeln!(
            out,
            "{} requests followed sales; batches settled: {balanced} balanced, {unbalanced} not; {unsettled} terminals could not settle",
            live.follow_ups.load(Ordering::Relaxed)
        )?;
    }
    writeln!(out, "reversals owed: {}", parts.ledger.owed().iter().map(|(_, count)| count).sum::<usize>())
}

/// Whether everybody agrees, over this run or all of them.
pub(super) fn verdict(out: &mut dyn Write, comparison: &Comparison, went_on: bool) -> io::Result<()> {
    writeln!(out, "\nverify")?;
    writeln!(
        out,
        "  simulated terminals  {:>16}   the switch of them    {:>16}",
        money(comparison.terminals),
        money(comparison.simulated)
    )?;
    writeln!(
        out,
        "  issuers              {:>16}   the switch in all     {:>16}",
        money(comparison.issuers),
        money(comparison.switch)
    )?;
    for difference in comparison.differences.iter().take(20) {
        writeln!(out, "  DIFFERENCE {difference}")?;
    }
    match comparison.differences.len() {
        0 if went_on => writeln!(
            out,
            "  terminals, switch and issuers agree to the cent, over this run and those before it: nothing was lost"
        ),
        0 => writeln!(out, "  terminals, switch and issuers agree to the cent"),
        count => writeln!(out, "  {count} differences"),
    }
}

fn money(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    Amount::new(minor.unsigned_abs()).map_or_else(|| "too large".to_owned(), |amount| format!("{sign}{amount}"))
}
