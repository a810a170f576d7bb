//! Network management requests that need nothing but a number and the time: echo, sign-on, sign-off.

use super::correlation::CorrelationKey;
use super::profile::Profile;
use crate::iso8583::Builder;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::model::Kind;
use crate::model::Stan;
use crate::model::Timestamp;
use bytes::Bytes;

impl Profile {
    /// A management request of `kind` as a whole unit, and the key of its answer.
    ///
    /// It carries what the dialect's kind row says, the STAN and the time (UTC). `None` where the
    /// dialect has no such kind or wants more of it, or where the profile wants a MAC on it.
    #[must_use]
    pub fn management(&self, kind: Kind, stan: Stan, at: Timestamp) -> Option<(CorrelationKey, Bytes)> {
        if self.mac_required(self.dialect.kind_row(kind)?.mti) {
            return None;
        }
        let message = self.dialect.decode(self.management_message(kind, stan, at)?.finish().ok()?).ok()?;
        if self.dialect.missing(&message, Some(kind)).is_some() {
            return None;
        }
        let unit = self.enclose(message.body(), None).ok()?;
        Some((self.correlation_key(&message)?, unit))
    }

    /// The same to be filled and signed. `None` where the dialect has no such kind.
    #[must_use]
    pub fn management_message(&self, kind: Kind, stan: Stan, at: Timestamp) -> Option<Builder> {
        let row = self.dialect.kind_row(kind)?;
        let mut builder = self.dialect.build(row.mti);
        builder.role(Role::Stan, &stan.digits()).ok()?;
        let time = at.digits(0);
        let stamps = [
            (Role::TransmissionTime, 2..12),
            (Role::LocalYear, 0..2),
            (Role::LocalDate, 2..6),
            (Role::LocalTime, 6..12),
        ];
        for (role, range) in stamps {
            if self.dialect.role(role).is_some() {
                builder.role(role, time.get(range)?).ok()?;
            }
        }
        for (role, pattern) in &row.when {
            builder.role(*role, pattern.replace('.', "0").as_bytes()).ok()?;
        }
        Some(builder)
    }

    /// Whether an answer means approved.
    #[must_use]
    pub fn approves(&self, answer: &Message) -> bool {
        let code = answer.role(Role::ResponseCode).and_then(|code| self.dialect.code(&code));
        code.is_some_and(|row| row.approves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Deframer;
    use crate::channel::builtin;

    #[test]
    fn an_echo_request_reads_back_as_one_in_every_profile_whose_management_has_no_mac() {
        for name in ["bank-a", "bank-b"] {
            let profile = builtin::profile(name).unwrap();
            for kind in [Kind::Echo, Kind::SignIn] {
                let (key, unit) = profile.management(kind, Stan::FIRST, Timestamp(0)).unwrap();
                let mut deframer = Deframer::new(profile.framing);
                deframer.push(&unit);
                let frame = profile.split(deframer.next().unwrap().unwrap()).unwrap();
                let message = profile.decode(&frame).unwrap();
                assert_eq!(profile.dialect.kind_of(&message), Some(kind), "{name}");
                assert!(profile.correlation_key(&message) == Some(key), "{name}");
            }
        }
    }
}
