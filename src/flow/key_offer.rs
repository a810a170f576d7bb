//! An issuer changes a zone key: it sends us a new one under the key both sides have, and we use it from then on.

use super::issuer::Issuer;
use super::station::{Station, World};
use crate::channel::Received;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::Kek;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::MacKey;
use crate::hsm::ZoneKeyText;
use crate::hsm::zone_algorithm;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::model::ZoneUse;
use bytes::Bytes;

impl<W: World> Station<W> {
    /// Answers a request that an issuer makes of us: a key change, under a MAC that verifies. Anything else is nothing,
    /// and `None`.
    pub async fn issuer_asks(&self, issuer: &IssuerName, received: &Received) -> Option<Bytes> {
        let issuer = self.issuer(issuer)?;
        let message = &received.message;
        if message.dialect().kind_of(message) != Some(Kind::KeyChange) {
            tracing::warn!(event = "issuer-asks", issuer = %issuer.name(), "a request of an issuer that nobody serves");
            return None;
        }
        let key = self.issuer_mac(issuer, message).await?;
        let code = self.take_offer(issuer, message).await?;
        tracing::warn!(event = "zone-key", issuer = %issuer.name(), code = code.code(), "an issuer changes a zone key");
        self.tell_issuer(issuer, received, code, &key).await
    }

    /// Takes a key in and keeps it, before the issuer hears that we have it. The same key again changes nothing.
    /// `None` where the ledger failed: the key may be kept or not, and whatever the issuer heard could be wrong. It asks
    /// again, and takes what is under either key until then.
    async fn take_offer(&self, issuer: &Issuer<W::Link>, message: &Message) -> Option<ResponseCode> {
        let row = self.parts.registry.load().issuer(issuer.name()).cloned();
        let Some(master) = row.and_then(|row| row.master_key.clone()) else {
            return Some(ResponseCode::FunctionUnsupported);
        };
        let text = message.role(Role::ZoneKey).and_then(|value| ZoneKeyText::parse(&value));
        let Some(text) = text else { return Some(ResponseCode::FormatError) };
        // A good key of another kind would be kept, and then be good for no message of this zone.
        let wanted = zone_algorithm(text.usage, issuer.profile.pin_format, issuer.profile.mac.scheme.algorithm);
        if wanted != Some(text.algorithm) {
            let (issuer, algorithm) = (issuer.name(), text.algorithm.word());
            tracing::error!(event = "zone-key", issuer = %issuer, algorithm, "an issuer's key is of another algorithm");
            return Some(ResponseCode::SecurityFailure);
        }
        let which = if text.usage == KeyUsage::Pin { ZoneUse::Pin } else { ZoneUse::Mac };
        // One that meets ours under way comes later again.
        let Some(_changing) = self.parts.sessions.begin_key_change(issuer.name(), which) else {
            return Some(ResponseCode::SystemFailure);
        };
        let now = match which {
            ZoneUse::Pin => self.zone_pin(issuer).0,
            ZoneUse::Mac => self.zone_mac(issuer).0,
        };
        let (ctx, hsm) = (Self::ctx(), &self.parts.hsm);
        if hsm.key_check_value(&ctx, &now, 3).await.is_ok_and(|check| check == text.check) {
            return Some(ResponseCode::Approved);
        }
        let kek = Kek(KeyRef::Named(master));
        let ZoneKeyText { usage, algorithm, wrapped, check } = &text;
        let block = match hsm.key_import(&ctx, *usage, *algorithm, &kek, wrapped, Some(check)).await {
            Ok(block) => block,
            Err(HsmError::Unavailable | HsmError::Timeout | HsmError::Busy) => {
                return Some(ResponseCode::SystemFailure);
            }
            Err(fault) => {
                tracing::error!(event = "hsm-fault", fault = %fault, issuer = %issuer.name(), "an issuer's key is none");
                return Some(ResponseCode::SecurityFailure);
            }
        };
        self.take_line(issuer, which, block).await.ok().map(|()| ResponseCode::Approved)
    }

    /// The answer, under the MAC key of the request.
    async fn tell_issuer(
        &self,
        issuer: &Issuer<W::Link>,
        received: &Received,
        code: ResponseCode,
        key: &MacKey,
    ) -> Option<Bytes> {
        let request = &received.message;
        let (dialect, mti) = (request.dialect(), request.mti()?.response());
        let mut builder = dialect.build(mti);
        for de in dialect.echo(mti) {
            builder.copy(*de, request).ok()?;
        }
        builder.role(Role::ResponseCode, dialect.wire_code(code).as_bytes()).ok()?;
        let unsigned = builder.finish_unsigned().ok()?;
        let scheme = &issuer.profile.mac.scheme;
        let mac = self.parts.hsm.mac_generate(&Self::ctx(), key, scheme, unsigned.mac_input()).await.ok()?;
        issuer.profile.enclose(&unsigned.sign(&mac).ok()?, Some(&received.frame)).ok()
    }
}
