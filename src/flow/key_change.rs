//! Zone keys change: a new one is made, kept, sent to the issuer under the key both sides have, and used once the issuer
//! shows that it has it.
//!
//! Until then what is sent goes out under the old one, and what comes in may be under either. So wherever this breaks
//! off, both sides can talk: an issuer keeps its old key for a while too.

use super::exchange::{NO_MTI, put};
use super::issuer::Issuer;
use super::outgoing::Unready;
use super::station::{Station, World};
use super::walk::Walk;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyName;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::hsm::ZoneKeyText;
use crate::hsm::zone_algorithm;
use crate::iso8583::Builder;
use crate::iso8583::EncodeError;
use crate::iso8583::Role;
use crate::ledger::Ledger;
use crate::link::IssuerLink;
use crate::link::LinkReply;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::KeyBlock;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::model::Timestamp;
use crate::model::ZoneFacts;
use crate::model::ZoneKey;
use crate::model::ZoneLine;
use crate::model::ZoneUse;
use smallvec::SmallVec;

/// A key change that came about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyChanged {
    /// Which generation is used now.
    pub generation: u32,
    /// Its check value.
    pub check: Kcv,
}

/// Why a zone key was not changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyChangeFault {
    /// No such issuer.
    #[error("there is no such issuer")]
    NoIssuer,
    /// Its row names no key that zone keys are exchanged under.
    #[error("the issuer's row has no master_key, which zone keys are exchanged under")]
    NoMaster,
    /// Its dialect has no key change.
    #[error("the issuer's dialect has no key change")]
    Unsaid,
    /// This key changes already: an operator's other order, or the issuer's own change.
    #[error("a change of this key is under way")]
    Running,
    /// The HSM did not make or give out a key.
    #[error("the HSM: {0}")]
    Hsm(HsmError),
    /// The ledger did not keep it.
    #[error("the ledger cannot keep the key")]
    Ledger,
    /// Nothing was sent: the issuer's link is down.
    #[error("the issuer's link is down; the old key stays, and the next try sends the same new one")]
    NotSent,
    /// The issuer does not want it.
    #[error("the issuer refuses the key: {0}{hint}; the old one stays", hint = hint(*.0))]
    Refused(ResponseCode),
    /// Nobody knows whether the issuer has it.
    #[error(
        "the issuer gave no answer that verifies: it may have the key or not, both are understood; try again. One that \
         lost its keys needs new ones agreed upon: name them in its row"
    )]
    Unknown,
}

/// What an issuer's refusal means, where its code does not say so.
fn hint(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::FunctionUnsupported => {
            " (it changes no keys: its side has no key to exchange them under; a mock issuer wants NAME/zmk in its list)"
        }
        ResponseCode::SecurityFailure => " (the key does not hold there: perhaps its side has another master key)",
        _ => "",
    }
}

/// The keys that a message of an issuer may be under, the likeliest first, and which generation each is.
type Good = SmallVec<[(u32, MacKey); 3]>;

fn reference(line: &ZoneLine, key: &ZoneKey) -> KeyRef {
    key.block.clone().map_or_else(|| KeyRef::Named(line.configured.clone()), KeyRef::Block)
}

/// The configured name of one of an issuer's keys.
fn configured(key: &KeyRef) -> Option<&KeyName> {
    match key {
        KeyRef::Named(name) => Some(name),
        KeyRef::Block(_) => None,
    }
}

impl<W: World> Station<W> {
    /// The MAC key to send under.
    pub(super) fn zone_mac(&self, issuer: &Issuer<W::Link>) -> MacKey {
        MacKey(self.current_zone(issuer, ZoneUse::Mac, &issuer.keys.mac.0))
    }

    /// The MAC key before, while the issuer may still use it.
    pub(super) fn zone_mac_before(&self, issuer: &Issuer<W::Link>) -> Option<MacKey> {
        let name = configured(&issuer.keys.mac.0)?;
        let now = self.parts.clock.wall();
        let before = |facts: &ZoneFacts| {
            let line = facts.line(ZoneUse::Mac, name);
            let before = line.good_at(now).find(|key| line.before.as_ref() == Some(*key));
            before.map(|key| MacKey(reference(&line, key)))
        };
        self.parts.sessions.read_zone(issuer.name(), before).flatten()
    }

    /// The PIN key to send under.
    pub(super) fn zone_pin(&self, issuer: &Issuer<W::Link>) -> PinKey {
        PinKey(self.current_zone(issuer, ZoneUse::Pin, &issuer.keys.pin.0))
    }

    fn current_zone(&self, issuer: &Issuer<W::Link>, which: ZoneUse, key: &KeyRef) -> KeyRef {
        let Some(name) = configured(key) else { return key.clone() };
        let current = |facts: &ZoneFacts| {
            let line = facts.line(which, name);
            reference(&line, &line.current)
        };
        self.parts.sessions.read_zone(issuer.name(), current).unwrap_or_else(|| key.clone())
    }

    /// The MAC keys that a message of the issuer may be under.
    pub(super) fn zone_macs(&self, issuer: &Issuer<W::Link>) -> Good {
        let key = &issuer.keys.mac.0;
        let only = || Good::from_iter([(0, MacKey(key.clone()))]);
        let Some(name) = configured(key) else { return only() };
        let now = self.parts.clock.wall();
        let good = |facts: &ZoneFacts| {
            let line = facts.line(ZoneUse::Mac, name);
            line.good_at(now).map(|key| (key.generation, MacKey(reference(&line, key)))).collect()
        };
        self.parts.sessions.read_zone(issuer.name(), good).unwrap_or_else(only)
    }

    /// Notes that a message of the issuer verified under this generation: a pending one is proven.
    pub(super) async fn zone_verified(&self, issuer: &Issuer<W::Link>, generation: u32) {
        let Some(name) = configured(&issuer.keys.mac.0) else { return };
        let is_pending = |facts: &ZoneFacts| {
            let pending = facts.line(ZoneUse::Mac, name).pending;
            pending.is_some_and(|pending| pending.generation == generation)
        };
        if self.parts.sessions.read_zone(issuer.name(), is_pending) != Some(true) {
            return;
        }
        let until = self.overlap_end(issuer.name());
        let proven = |line: ZoneLine| line.proven(generation, until);
        // What is not kept is proven again by the next message; a ledger that fails stops the station.
        let _ = self.change_line(issuer, ZoneUse::Mac, proven).await;
    }

    fn overlap_end(&self, issuer: &IssuerName) -> Timestamp {
        let overlap = self.parts.registry.load().issuer(issuer).map(|row| row.key_overlap).unwrap_or_default();
        self.parts.clock.wall().later(overlap)
    }

    /// Changes one of the lines, in memory and durably.
    async fn change_line(
        &self,
        issuer: &Issuer<W::Link>,
        which: ZoneUse,
        change: impl FnOnce(ZoneLine) -> ZoneLine,
    ) -> Result<(), KeyChangeFault> {
        let key = match which {
            ZoneUse::Pin => &issuer.keys.pin.0,
            ZoneUse::Mac => &issuer.keys.mac.0,
        };
        let name = configured(key).ok_or(KeyChangeFault::NoMaster)?;
        let facts = self.parts.sessions.change_zone(issuer.name(), |facts| {
            let line = facts.line(which, name);
            facts.with(which, change(line))
        });
        self.parts.ledger.note_zone(issuer.name(), facts).await.map_err(|fault| {
            let _ = self.ledger_stop(&fault);
            KeyChangeFault::Ledger
        })
    }

    /// Takes a key that the issuer made: it is current at once, for the issuer has it.
    pub(super) async fn take_line(
        &self,
        issuer: &Issuer<W::Link>,
        which: ZoneUse,
        block: KeyBlock,
    ) -> Result<(), KeyChangeFault> {
        let until = self.overlap_end(issuer.name());
        self.change_line(issuer, which, |line| line.taken(block, until)).await
    }

    /// Changes a zone key, because a person or a timetable says so. A key that was sent before and not acknowledged is
    /// sent again.
    ///
    /// # Errors
    /// [`KeyChangeFault`]; whatever it is, both sides can still talk.
    pub async fn change_zone_key(&self, name: &IssuerName, which: ZoneUse) -> Result<KeyChanged, KeyChangeFault> {
        let issuer = self.issuer(name).ok_or(KeyChangeFault::NoIssuer)?;
        let master = self.parts.registry.load().issuer(name).and_then(|row| row.master_key.clone());
        let kek = Kek(KeyRef::Named(master.ok_or(KeyChangeFault::NoMaster)?));
        if issuer.profile.dialect.kind_row(Kind::KeyChange).is_none() {
            return Err(KeyChangeFault::Unsaid);
        }
        let changing = self.parts.sessions.begin_key_change(name, which);
        let _changing = changing.ok_or(KeyChangeFault::Running)?;
        let (pending, text) = self.pending_key(issuer, which, &kek).await?;
        let changed = KeyChanged { generation: pending, check: text.check.clone() };
        let message = self.key_change(issuer, &text);
        let outgoing = self.prepare(issuer, message, &Walk::unmeasured()).await.map_err(|unready| match unready {
            Unready::Unwritable => KeyChangeFault::Unsaid,
            Unready::Hsm => KeyChangeFault::Hsm(HsmError::Unavailable),
        })?;
        match self.send(issuer, outgoing, &Walk::unmeasured()).await {
            LinkReply::NotSent => Err(KeyChangeFault::NotSent),
            LinkReply::Unknown => Err(KeyChangeFault::Unknown),
            LinkReply::Answer(answer) => {
                let code = answer.role(Role::ResponseCode).and_then(|code| answer.dialect().code(&code));
                let row = code.ok_or(KeyChangeFault::Unknown)?;
                let until = self.overlap_end(name);
                let approved = row.approves;
                // Trouble says nothing of the key, which the issuer may have had before.
                let trouble = [ResponseCode::MacFailure, ResponseCode::IssuerInoperative, ResponseCode::SystemFailure];
                let decided = |line: ZoneLine| match approved {
                    true => line.proven(pending, until),
                    false if trouble.contains(&row.code) => line,
                    false => line.refused(pending),
                };
                self.change_line(issuer, which, decided).await?;
                if approved { Ok(changed) } else { Err(KeyChangeFault::Refused(row.code)) }
            }
        }
    }

    /// The key that waits for its acknowledgement, made if none does, and as the issuer gets it.
    async fn pending_key(
        &self,
        issuer: &Issuer<W::Link>,
        which: ZoneUse,
        kek: &Kek,
    ) -> Result<(u32, ZoneKeyText), KeyChangeFault> {
        let (ctx, hsm) = (Self::ctx(), &self.parts.hsm);
        let (usage, key) = match which {
            ZoneUse::Pin => (KeyUsage::Pin, &issuer.keys.pin.0),
            ZoneUse::Mac => (KeyUsage::Mac, &issuer.keys.mac.0),
        };
        let algorithm = zone_algorithm(usage, issuer.profile.pin_format, issuer.profile.mac.scheme.algorithm);
        let algorithm = algorithm.ok_or(KeyChangeFault::Unsaid)?;
        let name = configured(key).ok_or(KeyChangeFault::NoMaster)?;
        let waiting = |facts: &ZoneFacts| facts.line(which, name).pending;
        let waiting = self.parts.sessions.read_zone(issuer.name(), waiting).flatten();
        let block: KeyBlock = match waiting.and_then(|key| key.block) {
            Some(block) => block,
            None => {
                let made = hsm.key_generate(&ctx, usage, algorithm, None).await.map_err(KeyChangeFault::Hsm)?;
                self.change_line(issuer, which, |line| line.offered(made.block.clone())).await?;
                made.block
            }
        };
        let pending = |facts: &ZoneFacts| facts.line(which, name).pending.map(|key| key.generation);
        let pending = self.parts.sessions.read_zone(issuer.name(), pending).flatten();
        let pending = pending.ok_or(KeyChangeFault::Unknown)?;
        let key = KeyRef::Block(block);
        let wrapped = hsm.key_export(&ctx, &key, kek).await.map_err(KeyChangeFault::Hsm)?;
        let check = hsm.key_check_value(&ctx, &key, 3).await.map_err(KeyChangeFault::Hsm)?;
        Ok((pending, ZoneKeyText { usage, algorithm, wrapped, check }))
    }

    fn key_change(&self, issuer: &Issuer<W::Link>, text: &ZoneKeyText) -> Result<Builder, EncodeError> {
        let (stan, now) = (issuer.link.next_stan(), self.parts.clock.wall());
        let mut builder = issuer.profile.management_message(Kind::KeyChange, stan, now).ok_or(NO_MTI)?;
        put(&mut builder, Role::ZoneKey, text.write().ok_or(NO_MTI)?.as_bytes())?;
        Ok(builder)
    }
}
