//! The zone keys of a mock issuer: how it takes new ones, and gives the station new ones itself.

use super::bank::Bank;
use super::bank::BankSetup;
use super::bank::HSM_WITHIN;
use crate::hsm::Generations;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::MacKey;
use crate::hsm::Verdict;
use crate::hsm::ZoneKeyText;
use crate::hsm::zone_algorithm;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::model::Stan;
use crate::model::Timestamp;
use bytes::Bytes;
use smallvec::SmallVec;

/// The keys now. They last as long as the bank does, or its books if it keeps them.
pub(super) struct ZoneKeys {
    mac: Line,
    pin: Line,
    next_stan: Stan,
}

/// One of the keys: the newest to send under, the one before still good.
struct Line {
    keys: Generations<KeyRef>,
    /// The check value of the newest, if it came on the wire: the same key again changes nothing.
    check: Option<Kcv>,
    /// What the station was sent and has not acknowledged: it may have it or not.
    offered: Option<Offer>,
}

#[derive(Clone)]
struct Offer {
    text: ZoneKeyText,
    key: KeyRef,
    /// Of the message that it went in last.
    stan: Stan,
}

/// What a message may be under, the likeliest first.
type Good = SmallVec<[KeyRef; 3]>;

impl Line {
    fn first(key: KeyRef) -> Self {
        Self { keys: Generations::first(key), check: None, offered: None }
    }

    fn good(&self) -> Good {
        let offered = self.offered.iter().map(|offer| &offer.key);
        let mut keys = self.keys.newest_first();
        keys.next().into_iter().chain(offered).chain(keys).cloned().collect()
    }

    /// A key of the station's is the newest. What the station was sent stays good: it may use that yet.
    fn take(&mut self, text: &ZoneKeyText, key: KeyRef) {
        if self.check.as_ref() != Some(&text.check) {
            self.keys = self.keys.clone().followed_by(key);
            self.check = Some(text.check.clone());
        }
    }

    /// The station has what it was sent.
    fn prove(&mut self) {
        if let Some(Offer { text, key, .. }) = self.offered.take() {
            self.keys = self.keys.clone().followed_by(key);
            self.check = Some(text.check);
        }
    }
}

impl ZoneKeys {
    pub(super) fn new(setup: &BankSetup) -> Self {
        let (mac, pin) = (setup.mac_key.0.clone(), setup.pin_key.0.clone());
        Self { mac: Line::first(mac), pin: Line::first(pin), next_stan: Stan::FIRST }
    }

    fn line(&mut self, usage: KeyUsage) -> &mut Line {
        if usage == KeyUsage::Mac { &mut self.mac } else { &mut self.pin }
    }

    /// What to send under.
    pub(super) fn mac(&self) -> MacKey {
        MacKey(self.mac.keys.newest().clone())
    }

    /// What PIN blocks may be under.
    pub(super) fn pins(&self) -> Good {
        self.pin.good()
    }

    fn macs(&self) -> Good {
        self.mac.good()
    }
}

impl<H: Hsm> Bank<H> {
    /// What it sends under now, for hosts that write answers of their own.
    #[must_use]
    pub fn mac_key(&self) -> MacKey {
        self.zone.lock().mac()
    }

    /// Whether a message has a MAC under one of the keys. One under what the station was sent proves that it has that.
    pub(super) async fn mac_holds(&self, message: &Message) -> bool {
        let (Some(data), Some(mac)) = (message.mac_input(), message.mac()) else { return false };
        let (keys, scheme) = (self.zone.lock().macs(), &self.setup.profile.mac.scheme);
        for key in keys {
            let key = MacKey(key);
            if matches!(self.hsm.mac_verify(&HSM_WITHIN, &key, scheme, data, &mac).await, Ok(Verdict::Match)) {
                let mut zone = self.zone.lock();
                if zone.mac.offered.as_ref().is_some_and(|offer| offer.key == key.0) {
                    zone.mac.prove();
                }
                return true;
            }
        }
        false
    }

    /// Takes a new zone key: 00 once it is in use, 40 without a key to exchange it under, 30 if the element is none, A7
    /// if it does not hold, 96 if it cannot be kept.
    pub(super) async fn key_change(&self, message: &Message) -> ResponseCode {
        let Some(kek) = &self.setup().master_key else { return ResponseCode::FunctionUnsupported };
        let text = message.role(Role::ZoneKey).and_then(|value| ZoneKeyText::parse(&value));
        let Some(text) = text else { return ResponseCode::FormatError };
        match self.opened(kek, &text).await {
            Ok(key) if self.keep_key(&text, true) => {
                self.zone.lock().line(text.usage).take(&text, key);
                ResponseCode::Approved
            }
            Ok(_) | Err(HsmError::Unavailable | HsmError::Timeout | HsmError::Busy) => ResponseCode::SystemFailure,
            Err(_) => ResponseCode::SecurityFailure,
        }
    }

    async fn opened(&self, kek: &Kek, text: &ZoneKeyText) -> Result<KeyRef, HsmError> {
        let ZoneKeyText { usage, algorithm, wrapped, check } = text;
        self.hsm.key_import(&HSM_WITHIN, *usage, *algorithm, kek, wrapped, Some(check)).await.map(KeyRef::Block)
    }

    /// Takes up a key that books have kept: one that was used, or one that the station was sent.
    pub(super) async fn take_up(&self, text: ZoneKeyText, used: bool) -> Option<()> {
        let key = self.opened(self.setup().master_key.as_ref()?, &text).await.ok()?;
        let mut zone = self.zone.lock();
        let line = zone.line(text.usage);
        match &line.offered {
            Some(offer) if used && offer.text.check == text.check => line.prove(),
            _ if used => line.take(&text, key),
            _ => line.offered = Some(Offer { text, key, stan: Stan::FIRST }),
        }
        Some(())
    }

    /// A message that gives the station a new zone key: a whole unit. What was sent before and not acknowledged is sent
    /// again. `None` without a key to exchange it under, or if a key of this usage is not exchanged.
    pub async fn offer_key(&self, usage: KeyUsage, now: Timestamp) -> Option<Bytes> {
        let (kek, profile) = (self.setup().master_key.as_ref()?, &self.setup.profile);
        let waiting = self.zone.lock().line(usage).offered.clone();
        let (text, key) = match waiting {
            Some(Offer { text, key, .. }) => (text, key),
            None => {
                let algorithm = zone_algorithm(usage, profile.pin_format, profile.mac.scheme.algorithm)?;
                let made = self.hsm.key_generate(&HSM_WITHIN, usage, algorithm, Some(kek)).await.ok()?;
                let key = KeyRef::Block(made.block);
                let check = self.hsm.key_check_value(&HSM_WITHIN, &key, 3).await.ok()?;
                (ZoneKeyText { usage, algorithm, wrapped: made.wrapped?, check }, key)
            }
        };
        if !self.keep_key(&text, false) {
            return None;
        }
        let (stan, mac_key) = {
            let mut zone = self.zone.lock();
            let stan = zone.next_stan;
            zone.next_stan = stan.next();
            zone.line(usage).offered = Some(Offer { text: text.clone(), key, stan });
            (stan, zone.mac())
        };
        let mut message = profile.management_message(Kind::KeyChange, stan, now)?;
        message.role(Role::ZoneKey, text.write()?.as_bytes()).ok()?;
        let unsigned = message.finish_unsigned().ok()?;
        let mac = self.hsm.mac_generate(&HSM_WITHIN, &mac_key, &profile.mac.scheme, unsigned.mac_input()).await.ok()?;
        profile.enclose(&unsigned.sign(&mac).ok()?, None).ok()
    }

    /// What the station says to a key that it was sent: it has it, or it does not want it. `None` if it says anything
    /// else.
    pub(super) async fn key_answered(&self, message: &Message) -> Option<()> {
        let stan = message.role(Role::Stan).and_then(|stan| Stan::parse(&stan))?;
        let is_answer = message.mti() == Some(message.dialect().kind_row(Kind::KeyChange)?.mti.response());
        let of = |line: &Line| line.offered.as_ref().filter(|offer| offer.stan == stan).cloned();
        let offer = {
            let zone = self.zone.lock();
            of(&zone.mac).or_else(|| of(&zone.pin))
        };
        let Offer { text, .. } = offer.filter(|_| is_answer)?;
        if !self.mac_holds(message).await {
            return None;
        }
        if !self.setup.profile.approves(message) {
            self.zone.lock().line(text.usage).offered = None;
        } else if self.keep_key(&text, true) {
            self.zone.lock().line(text.usage).prove();
        }
        Some(())
    }
}
