//! Keys that are made, come in, go out and are opened; and what is done once a card, a device or a day.

use super::CTX;
use super::MESSAGE;
use super::Operation;
use super::named;
use super::now;
use super::operation;
use super::scheme;
use std::hint::black_box;
use std::sync::Arc;
use tollgate::hsm::BdKey;
use tollgate::hsm::BlockKek;
use tollgate::hsm::CvKey;
use tollgate::hsm::Cvc3Key;
use tollgate::hsm::DataKey;
use tollgate::hsm::DataKeyPurpose;
use tollgate::hsm::DukptKey;
use tollgate::hsm::Hsm;
use tollgate::hsm::Kek;
use tollgate::hsm::KeyAlgorithm::Tdes2;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::MacKey;
use tollgate::hsm::PinKey;
use tollgate::hsm::PinOrigin;
use tollgate::hsm::PinSource;
use tollgate::hsm::PvKey;
use tollgate::hsm::ReferenceMethod;
use tollgate::hsm::WrappedKey;
use tollgate::hsm::calculator;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::DesKey;
use tollgate::hsm::calculator::Fill;
use tollgate::hsm::calculator::dukpt::Purpose;
use tollgate::hsm::emv::EmvCard;
use tollgate::hsm::emv::EmvTransaction;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::model::EncryptedPinBlock;
use tollgate::model::Ksn;
use tollgate::model::MacAlgorithm;
use tollgate::model::Pan;
use tollgate::model::PinFormat;
use tollgate::model::Track2;

/// The double-length key of all names.
fn double() -> [u8; 16] {
    core::array::from_fn(|place| 0x10 + u8::try_from(place).unwrap_or_default())
}

fn pan() -> Pan {
    Pan::parse(b"4012345678909").expect("a number")
}

fn device() -> Ksn {
    Ksn::new(&[0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 1]).expect("a serial number")
}

pub(super) fn keys(hsm: &Arc<SoftwareHsm>, all: &mut Vec<Operation>) {
    let (own, tak) = (Arc::clone(hsm), named("tak"));
    all.push(operation("check value", false, move || {
        black_box(now(own.key_check_value(&CTX, &tak, 3)).expect("a value"));
    }));
    let made = |usage| now(hsm.key_generate(&CTX, usage, Tdes2, None)).expect("a key").block;
    let blocks = [made(KeyUsage::Mac), made(KeyUsage::Mac)].map(|block| MacKey(KeyRef::Block(block)));
    let own = Arc::clone(hsm);
    // The cache holds one: each of the two sends the other away.
    all.push(operation("open 2 blocks, 2 MACs of 8 bytes", true, move || {
        for key in &blocks {
            black_box(now(own.mac_generate(&CTX, key, &scheme(MacAlgorithm::X919), b"12345678")).expect("a MAC"));
        }
    }));
    travel(hsm, all);
    let (own, tmk) = (Arc::clone(hsm), Kek(named("tmk")));
    all.push(operation(super::SIGN_IN, true, move || {
        for usage in [KeyUsage::Pin, KeyUsage::Mac] {
            black_box(now(own.key_generate(&CTX, usage, Tdes2, Some(&tmk))).expect("a key"));
        }
    }));
    data_keys(hsm, all);
}

/// In and out, as cipher and as a key block.
fn travel(hsm: &Arc<SoftwareHsm>, all: &mut Vec<Operation>) {
    let under = BlockKek(named("kbpk"));
    let block = now(hsm.key_export_block(&CTX, &named("zpk"), &under)).expect("a block");
    let own = Arc::clone(hsm);
    all.push(operation("import of a key block", true, move || {
        let what = (KeyUsage::Pin, Tdes2);
        black_box(now(own.key_import_block(&CTX, what, &under, &block, None)).expect("a block"));
    }));
    let (own, under) = (Arc::clone(hsm), BlockKek(named("kbpk")));
    all.push(operation("export of a key block", true, move || {
        black_box(now(own.key_export_block(&CTX, &named("zpk"), &under)).expect("a block"));
    }));
    let tmk = Kek(named("tmk"));
    let wrapped: WrappedKey = now(hsm.key_export(&CTX, &named("zpk"), &tmk)).expect("a cipher");
    let own = Arc::clone(hsm);
    all.push(operation("import of a key's cipher", true, move || {
        let taken = now(own.key_import(&CTX, KeyUsage::Pin, Tdes2, &tmk, &wrapped, None));
        black_box(taken.expect("a block"));
    }));
    let (own, tmk) = (Arc::clone(hsm), Kek(named("tmk")));
    all.push(operation("export of a key's cipher", false, move || {
        black_box(now(own.key_export(&CTX, &named("zpk"), &tmk)).expect("a cipher"));
    }));
    let (own, tmk, base) = (Arc::clone(hsm), Kek(named("tmk")), BdKey(named("bdk")));
    all.push(operation("initial key of a device", false, move || {
        black_box(now(own.dukpt_initial_key(&CTX, &base, &device(), &tmk)).expect("a key"));
    }));
}

fn data_keys(hsm: &Arc<SoftwareHsm>, all: &mut Vec<Operation>) {
    let own = Arc::clone(hsm);
    all.push(operation("data key of a day", true, move || {
        black_box(now(own.data_key_new(&CTX, DataKeyPurpose::Seal)).expect("a key"));
    }));
    let block = now(hsm.data_key_new(&CTX, DataKeyPurpose::Seal)).expect("a key").0;
    let own = Arc::clone(hsm);
    all.push(operation("data key opened", true, move || {
        black_box(now(own.data_key_open(&CTX, DataKeyPurpose::Seal, &block)).expect("a key"));
    }));
}

/// What else an HSM does with cards and PINs besides the checks that each sale needs.
pub(super) fn more(hsm: &Arc<SoftwareHsm>, all: &mut Vec<Operation>) {
    let own = Arc::clone(hsm);
    let mac = now(hsm.mac_generate(&CTX, &MacKey(named("tak")), &scheme(MacAlgorithm::X919), &MESSAGE)).expect("a MAC");
    all.push(operation("MAC X9.19 checked", false, move || {
        let (key, scheme) = (MacKey(named("tak")), scheme(MacAlgorithm::X919));
        let _ = black_box(now(own.mac_verify(&CTX, &key, &scheme, &MESSAGE, &mac)).expect("a verdict"));
    }));
    let (own, cvk) = (Arc::clone(hsm), CvKey(named("cvk")));
    all.push(operation("CVV made", false, move || {
        black_box(now(own.cvv_generate(&CTX, &cvk, &pan(), b"2901", b"101")).expect("a value"));
    }));
    let (own, key) = (Arc::clone(hsm), Cvc3Key(named("dynamic")));
    all.push(operation("CVC3 check", false, move || {
        let (card, data) = (EmvCard { pan: pan(), sequence: 1 }, b"4012345678909=2901101");
        let transaction = EmvTransaction { atc: [0, 1], unpredictable: [1; 4], data };
        let _ = black_box(now(own.cvc3_verify(&CTX, &key, &card, &transaction, b"123")).expect("a verdict"));
    }));
    let tracks = DesKey::new(&double()).expect("a key");
    let track = Track2::parse(b"4012345678909=30121010000000000").expect("a track");
    let packed = calculator::encrypt_track(&tracks, &track).expect("a cipher");
    let (own, key) = (Arc::clone(hsm), DataKey(named("tdk")));
    all.push(operation("track", false, move || {
        let read = now(own.track_decrypt(&CTX, &key, &packed, 31)).expect("an answer");
        assert!(black_box(read).is_some(), "a track");
    }));
    pins(hsm, all);
}

/// PINs of DUKPT devices, and new ones.
fn pins(hsm: &Arc<SoftwareHsm>, all: &mut Vec<Operation>) {
    let pin = ClearPin::parse(b"1234").expect("a PIN");
    let key = calculator::dukpt::working_key(&double(), &device(), Purpose::Pin).expect("a transaction's key");
    let encrypt = |key: &CipherKey| -> EncryptedPinBlock {
        calculator::encrypt_pin(key, PinFormat::Iso0, &pin, &pan(), &Fill::NONE).expect("a block")
    };
    let (own, base, to, block) = (Arc::clone(hsm), BdKey(named("bdk")), PinKey(named("zpk")), encrypt(&key));
    all.push(operation("PIN DUKPT TDES to 0, 1 bit", false, move || {
        let from = (DukptKey { base: &base, ksn: &device() }, PinFormat::Iso0);
        let to = PinSource { key: &to, format: PinFormat::Iso0 };
        assert!(black_box(now(own.pin_translate_dukpt(&CTX, from, to, &block, &pan()))).is_ok(), "a block");
    }));
    let key = CipherKey::new(Tdes2, &double()).expect("a key");
    let (own, pvk, from, block) = (Arc::clone(hsm), PvKey(named("pvk")), PinKey(named("tpk")), encrypt(&key));
    all.push(operation("PVV of a new PIN", false, move || {
        let from = PinOrigin::Static(PinSource { key: &from, format: PinFormat::Iso0 });
        let method = ReferenceMethod::Pvv { key: &pvk, index: b'1' };
        assert!(black_box(now(own.pin_reference(&CTX, from, &block, &pan(), method))).is_ok(), "a value");
    }));
}
