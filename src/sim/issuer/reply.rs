//! How a mock issuer writes its answers, and how it misbehaves in writing them.

use super::bank::Act;
use super::bank::Answer;
use super::bank::Bank;
use super::bank::Effect;
use super::bank::HSM_WITHIN;
use super::rules;
use super::rules::Delivery;
use crate::channel::Frame;
use crate::hsm::Hsm;
use crate::iso8583::Builder;
use crate::iso8583::EncodeError;
use crate::iso8583::Message;
use crate::iso8583::Mti;
use crate::iso8583::Role;
use crate::iso8583::tlv;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::Stan;
use crate::sim::chip;
use bytes::Bytes;
use std::time::Duration;

/// Bytes that are a message in no dialect.
const GARBAGE: [u8; 40] = [0xDB; 40];

impl<H: Hsm> Bank<H> {
    /// The acts that carry an answer, or what the amount wants in its place.
    pub(super) async fn effects(&self, frame: &Frame, request: &Message, answer: &Answer) -> Vec<Effect> {
        let Some(unit) = self.unit(frame, request, answer).await else { return Vec::new() };
        let at = |after, act| vec![Effect { after, act }];
        let now = Duration::ZERO;
        match answer.delivery {
            Delivery::Never => Vec::new(),
            Delivery::Plain | Delivery::WrongStan | Delivery::WrongMac | Delivery::WrongArpc => {
                at(now, Act::Send(unit))
            }
            Delivery::After(after) => at(after, Act::Send(unit)),
            Delivery::Late => at(self.setup.late, Act::Send(unit)),
            Delivery::Twice => [at(now, Act::Send(unit.clone())), at(now, Act::Send(unit))].concat(),
            Delivery::Garbage => match self.setup.profile.enclose(&GARBAGE, Some(frame)) {
                Ok(garbage) => at(now, Act::Send(garbage)),
                Err(_) => Vec::new(),
            },
            Delivery::Torn => at(now, Act::SendAndClose(unit.slice(..unit.len() / 2))),
            Delivery::Trickle => at(now, Act::Trickle(unit)),
        }
    }

    /// The whole answer with its MAC, as it goes on the wire. `None` if it cannot be made: nothing is
    /// sent then, as a real host whose HSM is down would do.
    async fn unit(&self, frame: &Frame, request: &Message, answer: &Answer) -> Option<Bytes> {
        let mti = request.mti()?.response();
        let builder = compose(request, mti, answer).ok()?;
        let profile = &self.setup.profile;
        let kind = request.dialect().kind_of(request);
        if kind != Some(Kind::KeyChange) && !profile.mac_required(mti) {
            return profile.enclose(&builder.finish().ok()?, Some(frame)).ok();
        }
        let unsigned = builder.finish_unsigned().ok()?;
        let mut data = unsigned.mac_input().to_vec();
        if answer.delivery == Delivery::WrongMac {
            data.push(1);
        }
        let key = self.zone.lock().mac();
        let mac = self.hsm.mac_generate(&HSM_WITHIN, &key, &profile.mac.scheme, &data).await.ok()?;
        profile.enclose(&unsigned.sign(&mac).ok()?, Some(frame)).ok()
    }
}

/// The answer without its MAC.
fn compose(request: &Message, mti: Mti, answer: &Answer) -> Result<Builder, EncodeError> {
    let dialect = request.dialect();
    let mut builder = dialect.build(mti);
    for de in dialect.echo(mti) {
        builder.copy(*de, request)?;
    }
    builder.role(Role::ResponseCode, dialect.wire_code(answer.code).as_bytes())?;
    if answer.delivery == Delivery::WrongStan
        && let Some(stan) = request.role(Role::Stan).and_then(|stan| Stan::parse(&stan))
    {
        builder.role(Role::Stan, &stan.next().digits())?;
    }
    let Some(entered) = &answer.entered else { return Ok(builder) };
    if let Some(approval) = &entered.approval {
        builder.role(Role::ApprovalCode, approval.as_bytes())?;
    }
    if let Some(part) = entered.partial {
        builder.role(Role::Amount, &part.digits())?;
    }
    if let Some(voucher) = entered.voucher.filter(|_| dialect.role(Role::Voucher).is_some()) {
        builder.role(Role::Voucher, &voucher)?;
    }
    let scripted = request.role(Role::Amount).and_then(|amount| rules::script(Amount::parse(&amount)?));
    let scripted = scripted.filter(|_| request.role(Role::Icc).is_some() && entered.code.is_approval());
    let mut said = answer.to_chip.clone();
    if answer.delivery == Delivery::WrongArpc
        && let Some(first) = said.iter_mut().flatten().next()
    {
        *first ^= 0xFF;
    }
    write_icc(&mut builder, said.as_deref(), scripted)?;
    let asked_for_it = dialect.kind_of(request) == Some(Kind::Balance) && entered.code.is_approval();
    if asked_for_it && let Some(available) = entered.available {
        let currency = request.role(Role::Currency).and_then(|currency| Currency::parse(&currency));
        builder.role(Role::AdditionalAmounts, &available_amount(available, currency.unwrap_or(Currency::CNY)))?;
    }
    Ok(builder)
}

/// DE 55 of an answer: authentication data (91), then scripts.
fn write_icc(builder: &mut Builder, said: Option<&[u8]>, scripts: Option<&[u8]>) -> Result<(), EncodeError> {
    let mut icc = Vec::with_capacity(48);
    let written = said.is_none_or(|said| tlv::write(chip::AUTHENTICATION, said, &mut icc));
    icc.extend_from_slice(scripts.unwrap_or_default());
    if written && !icc.is_empty() {
        builder.role(Role::Icc, &icc)?;
    }
    Ok(())
}

/// One amount of DE 54: savings account (10), available balance (02), currency, credit, twelve digits.
///
/// Source: ISO 8583:1987, data element 54.
fn available_amount(amount: Amount, currency: Currency) -> [u8; 20] {
    let mut field = *b"1002000C000000000000";
    let parts: [(usize, &[u8]); 2] = [(4, &currency.digits()), (8, &amount.digits())];
    for (start, value) in parts {
        field.iter_mut().skip(start).zip(value).for_each(|(to, digit)| *to = *digit);
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_is_twenty_characters() {
        let amount = Amount::new(123_456).unwrap();
        assert_eq!(&available_amount(amount, Currency::CNY), b"1002156C000000123456");
    }
}
