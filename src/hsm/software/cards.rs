//! Card verification values and chip cryptograms. Cards' keys live for one call.

use super::SoftwareHsm;
use super::attributes::Use;
use super::refuse;
use crate::hsm::CvKey;
use crate::hsm::Cvc3Key;
use crate::hsm::HsmError;
use crate::hsm::ImkKey;
use crate::hsm::KeyFault;
use crate::hsm::KeyRef;
use crate::hsm::ScriptKey;
use crate::hsm::Verdict;
use crate::hsm::calculator;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::emv;
use crate::hsm::calculator::emv::EmvKey;
use crate::hsm::calculator::equal;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::ArqcOutcome;
use crate::hsm::emv::EmvCard;
use crate::hsm::emv::EmvScheme;
use crate::hsm::emv::EmvTransaction;
use crate::hsm::emv::MAX_CRYPTOGRAM_DATA;
use crate::hsm::emv::MasterKeyOption;
use crate::model::Pan;

/// A key of the wrong family is the key's fault, anything else the call's.
fn fault(key: &KeyRef, error: CalcError, what: &'static str) -> HsmError {
    match error {
        CalcError::KeyAlgorithm | CalcError::KeyLength => refuse(key, KeyFault::Algorithm),
        CalcError::DataLength | CalcError::ResultLength | CalcError::Digits | CalcError::Ksn => HsmError::Input(what),
    }
}

/// What a comparison is to a caller.
fn verdict(same: bool) -> Verdict {
    if same { Verdict::Match } else { Verdict::NoMatch }
}

impl SoftwareHsm {
    /// See [`Hsm::cvv_generate`](crate::hsm::Hsm::cvv_generate).
    pub(super) fn cvv(
        &self,
        (key, what): (&CvKey, Use),
        pan: &Pan,
        expiry: &[u8; 4],
        service_code: &[u8; 3],
    ) -> Result<[u8; 3], HsmError> {
        let loaded = self.load_for(&key.0, what)?;
        let des = loaded.cipher.des().map_err(|error| fault(&key.0, error, ""))?;
        calculator::cvv(des, pan, expiry, service_code).map_err(|error| fault(&key.0, error, "expiry or service code"))
    }

    /// See [`Hsm::cvv_verify`](crate::hsm::Hsm::cvv_verify).
    pub(super) fn check_cvv(
        &self,
        key: &CvKey,
        pan: &Pan,
        (expiry, service_code): (&[u8; 4], &[u8; 3]),
        cvv: &[u8; 3],
    ) -> Result<Verdict, HsmError> {
        Ok(verdict(equal(&self.cvv((key, Use::CheckCvv), pan, expiry, service_code)?, cvv)))
    }

    /// A card's own master key.
    fn card_key(
        &self,
        (key, what): (&KeyRef, Use),
        option: MasterKeyOption,
        card: &EmvCard,
    ) -> Result<EmvKey, HsmError> {
        let loaded = self.load_for(key, what)?;
        let issuer = loaded.cipher.des().map_err(|error| fault(key, error, ""))?;
        emv::master_key(issuer, option, card).map_err(|error| fault(key, error, "card sequence number"))
    }

    /// See [`Hsm::cvc3_verify`](crate::hsm::Hsm::cvc3_verify).
    pub(super) fn check_cvc3(
        &self,
        key: &Cvc3Key,
        card: &EmvCard,
        transaction: &EmvTransaction<'_>,
        cvc3: &[u8],
    ) -> Result<Verdict, HsmError> {
        let master = self.card_key((&key.0, Use::DeriveCvc3), MasterKeyOption::A, card)?;
        if transaction.data.len() > MAX_CRYPTOGRAM_DATA {
            return Err(HsmError::Input("track data"));
        }
        let (atc, unpredictable) = (transaction.atc, transaction.unpredictable);
        let computed = calculator::cvc3(master.as_slice(), transaction.data, atc, unpredictable, cvc3.len())
            .map_err(|error| fault(&key.0, error, "CVC3 length"))?;
        Ok(verdict(equal(computed.as_bytes(), cvc3)))
    }

    /// See [`Hsm::arqc_verify`](crate::hsm::Hsm::arqc_verify).
    pub(super) fn check_arqc(
        &self,
        key: &ImkKey,
        (scheme, card): (&EmvScheme, &EmvCard),
        transaction: &EmvTransaction<'_>,
        arqc: &[u8; 8],
        answer: Option<&ArpcSpec>,
    ) -> Result<ArqcOutcome, HsmError> {
        let master = self.card_key((&key.0, Use::DeriveCryptogram), scheme.master, card)?;
        if transaction.data.len() > MAX_CRYPTOGRAM_DATA {
            return Err(HsmError::Input("cryptogram data"));
        }
        let call = |error| fault(&key.0, error, "cryptogram scheme");
        let session =
            emv::session_key(scheme.session, &master, transaction.atc, transaction.unpredictable).map_err(call)?;
        let computed = emv::cryptogram(&session, scheme.padding, transaction.data).map_err(call)?;
        if !equal(&computed, arqc) {
            return Ok(ArqcOutcome { verdict: Verdict::NoMatch, arpc: None });
        }
        let answered = answer.map(|spec| {
            let key = emv::answer_key(scheme, &master, transaction.atc)?;
            emv::arpc(&key, *arqc, spec)
        });
        Ok(ArqcOutcome { verdict: Verdict::Match, arpc: answered.transpose().map_err(call)? })
    }

    /// See [`Hsm::script_mac`](crate::hsm::Hsm::script_mac).
    pub(super) fn mac_of_script(
        &self,
        key: &ScriptKey,
        (scheme, card): (&EmvScheme, &EmvCard),
        (atc, arqc): ([u8; 2], [u8; 8]),
        command: &[u8],
    ) -> Result<[u8; 8], HsmError> {
        let master = self.card_key((&key.0, Use::DeriveScript), scheme.master, card)?;
        if command.len() > MAX_CRYPTOGRAM_DATA {
            return Err(HsmError::Input("script command"));
        }
        let call = |error| fault(&key.0, error, "script command");
        let session = emv::script_session_key(scheme.script, &master, atc, arqc).map_err(call)?;
        emv::script_mac(&session, atc, arqc, command).map_err(call)
    }
}
