//! The same questions to the software HSM and, over the wire, to its counterpart: the same answers.

use super::rig::AES_TPK;
use super::rig::CTX;
use super::rig::Host;
use super::rig::LONG;
use super::rig::RETAIL;
use super::rig::connected;
use super::rig::name;
use super::rig::software;
use super::rig::unhex;
use smallvec::SmallVec;
use tollgate::hsm::BdKey;
use tollgate::hsm::CvKey;
use tollgate::hsm::DataKey;
use tollgate::hsm::DataKeyPurpose;
use tollgate::hsm::DataKeySealer;
use tollgate::hsm::Direction;
use tollgate::hsm::DukptKey;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::HsmProfile;
use tollgate::hsm::IbmRule;
use tollgate::hsm::ImkKey;
use tollgate::hsm::Kcv;
use tollgate::hsm::Kek;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyFault;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyRing;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::MacKey;
use tollgate::hsm::OffsetKey;
use tollgate::hsm::PinError;
use tollgate::hsm::PinKey;
use tollgate::hsm::PinMethod;
use tollgate::hsm::PinOrigin;
use tollgate::hsm::PinReference;
use tollgate::hsm::PinSource;
use tollgate::hsm::PvKey;
use tollgate::hsm::ReferenceMethod;
use tollgate::hsm::Verdict;
use tollgate::hsm::WrappedKey;
use tollgate::hsm::calculator;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::DesKey;
use tollgate::hsm::calculator::Fill;
use tollgate::hsm::calculator::dukpt;
use tollgate::hsm::calculator::emv as chip;
use tollgate::hsm::emv::ArpcSpec;
use tollgate::hsm::emv::Cvn;
use tollgate::hsm::emv::EmvCard;
use tollgate::hsm::emv::EmvTransaction;
use tollgate::hsm::payshield::KeyTypes;
use tollgate::hsm::payshield::PayshieldHsm;
use tollgate::hsm::payshield::PayshieldSetup;
use tollgate::hsm::payshield::behaviour::Behaviour;
use tollgate::hsm::payshield::code::KeyType;
use tollgate::hsm::payshield::counterpart::test_key;
use tollgate::hsm::payshield::key::HostKey;
use tollgate::model::BusinessDate;
use tollgate::model::EncryptedPinBlock;
use tollgate::model::Ksn;
use tollgate::model::MacAlgorithm;
use tollgate::model::MacOutput;
use tollgate::model::MacScheme;
use tollgate::model::Padding;
use tollgate::model::Pan;
use tollgate::model::PinFormat;
use tollgate::model::Sealer;
use tollgate::model::Track2;

/// A counterpart and the trait over it.
async fn pair() -> (Host, PayshieldHsm) {
    let host = Host::start(Behaviour::default()).await;
    let hsm = connected(host.setup()).await;
    (host, hsm)
}

fn pan() -> Pan {
    Pan::parse(b"4123456789012345").unwrap()
}

/// A PIN pad's block under a named key's clear bytes.
fn pin_block(key: &str, format: PinFormat, pin: &[u8]) -> EncryptedPinBlock {
    let cipher = CipherKey::new(KeyAlgorithm::Tdes2, &unhex(key)).unwrap();
    let fill = Fill::new(&[0xA; 16]).unwrap();
    calculator::encrypt_pin(&cipher, format, &ClearPin::parse(pin).unwrap(), &pan(), &fill).unwrap()
}

const TPK: &str = "13131313131313134545454545454545";

/// Every MAC scheme over data of every shape, and its verdicts.
async fn macs(hsm: &impl Hsm) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for algorithm in [MacAlgorithm::Alg1, MacAlgorithm::X919, MacAlgorithm::TdesCmac, MacAlgorithm::CupEcb] {
        for padding in [Padding::Zeros, Padding::Bit, Padding::Length] {
            for (output, length) in
                [(MacOutput::Binary, 4), (MacOutput::Binary, 6), (MacOutput::Binary, 8), (MacOutput::AsciiHex, 8)]
            {
                let scheme = MacScheme { algorithm, padding, output, length };
                for (key, data) in [("tak", &b"0200 4012345678909"[..]), ("zak", b"sixteen bytes..."), ("tak", b"")] {
                    let key = MacKey(name(key));
                    let mac = hsm.mac_generate(&CTX, &key, &scheme, data).await.unwrap();
                    assert_eq!(hsm.mac_verify(&CTX, &key, &scheme, data, &mac).await.unwrap(), Verdict::Match);
                    for wrong in [&mac[1..], b"", b"\0\0\0\0\0\0\0\0", &[&mac[..], b"0"].concat()] {
                        let verdict = hsm.mac_verify(&CTX, &key, &scheme, data, wrong).await.unwrap();
                        assert_eq!(verdict, Verdict::NoMatch, "{scheme:?}");
                    }
                    all.push(mac.to_vec());
                }
            }
        }
    }
    let single = MacKey(name("tak-single"));
    let cup =
        MacScheme { algorithm: MacAlgorithm::CupEcb, padding: Padding::Zeros, output: MacOutput::AsciiHex, length: 8 };
    all.push(hsm.mac_generate(&CTX, &single, &cup, b"a terminal of long ago").await.unwrap().to_vec());
    all
}

#[tokio::test]
async fn macs_are_those_of_the_software_hsm() {
    let (_host, hsm) = pair().await;
    for (place, (over_wire, here)) in macs(&hsm).await.iter().zip(macs(&software()).await).enumerate() {
        assert_eq!(*over_wire, here, "MAC {place}");
    }
    let refused = hsm.mac_generate(&CTX, &MacKey(name("tak-single")), &RETAIL, b"x").await;
    assert_eq!(refused, Err(HsmError::Key { name: "tak-single".into(), fault: KeyFault::Algorithm }));
}

/// One block on a way through formats and keys that ends where every step can be compared.
async fn pin_way(hsm: &impl Hsm) -> Vec<Vec<u8>> {
    let (tpk, zpk, other) = (PinKey(name("tpk")), PinKey(name("zpk")), PinKey(name("zpk-b")));
    let mut ends = Vec::new();
    for first in [PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso3] {
        let block = pin_block(TPK, first, b"123456");
        let from = PinSource { key: &tpk, format: first };
        let middle = PinSource { key: &zpk, format: PinFormat::Iso3 };
        let block = hsm.pin_translate(&CTX, from, middle, &block, &pan()).await.unwrap();
        let last = PinSource { key: &other, format: PinFormat::Iso0 };
        ends.push(hsm.pin_translate(&CTX, middle, last, &block, &pan()).await.unwrap().as_bytes().to_vec());
    }
    ends
}

#[tokio::test]
async fn pin_blocks_are_translated_as_the_software_hsm_does() {
    let (_host, hsm) = pair().await;
    let ends = pin_way(&hsm).await;
    assert_eq!(ends, pin_way(&software()).await);
    let expected = pin_block("40404040404040404F4F4F4F4F4F4F4F", PinFormat::Iso0, b"123456");
    assert!(ends.iter().all(|end| end == expected.as_bytes()));
}

#[tokio::test]
async fn every_fault_of_a_pin_block_is_one_and_wrong_keys_are_another() {
    let (_host, hsm) = pair().await;
    let (tpk, zpk) = (PinKey(name("tpk")), PinKey(name("zpk")));
    let to = PinSource { key: &zpk, format: PinFormat::Iso0 };
    let from = PinSource { key: &tpk, format: PinFormat::Iso0 };
    let other_pan = Pan::parse(b"5555551234567890").unwrap();
    let error = |result: Result<EncryptedPinBlock, PinError>| result.map(|_| ()).unwrap_err();
    let block = pin_block(TPK, PinFormat::Iso0, b"1234");
    assert_eq!(error(hsm.pin_translate(&CTX, from, to, &block, &other_pan).await), PinError::Block);
    for bytes in [[0x11; 8], [0xEE; 8], [0; 8]] {
        let block = EncryptedPinBlock::new(&bytes).unwrap();
        assert_eq!(error(hsm.pin_translate(&CTX, from, to, &block, &pan()).await), PinError::Block);
    }
    let back = hsm.pin_translate(&CTX, to, from, &block, &pan()).await;
    assert_eq!(error(back), HsmError::Key { name: "tpk".into(), fault: KeyFault::Usage }.into());
    let mac_key = PinKey(name("tak"));
    let wrong = PinSource { key: &mac_key, format: PinFormat::Iso0 };
    let refused = hsm.pin_translate(&CTX, wrong, to, &block, &pan()).await;
    assert_eq!(error(refused), HsmError::Key { name: "tak".into(), fault: KeyFault::Usage }.into());
    let wide = PinSource { key: &zpk, format: PinFormat::Iso4 };
    let refused = error(hsm.pin_translate(&CTX, from, wide, &block, &pan()).await);
    assert_eq!(refused, HsmError::Key { name: "zpk".into(), fault: KeyFault::Algorithm }.into(), "format 4 is AES");
    for format in [PinFormat::Iso1, PinFormat::Iso2] {
        let to = PinSource { key: &zpk, format };
        let refused = error(hsm.pin_translate(&CTX, from, to, &block, &pan()).await);
        assert!(matches!(refused, PinError::Hsm(HsmError::Policy(_))), "{refused}");
    }
}

/// A format 4 block of a terminal's AES key, to a zone's AES key, to format 0; and the way back.
async fn wide_way(hsm: &impl Hsm) -> Vec<Vec<u8>> {
    let (tpk, zpk, wide) = (PinKey(name("tpk-aes")), PinKey(name("zpk")), PinKey(name("zpk-aes")));
    let cipher = CipherKey::new(KeyAlgorithm::Aes128, &unhex(AES_TPK)).unwrap();
    let (pin, fill) = (ClearPin::parse(b"123456").unwrap(), Fill::new(&[0xA; 16]).unwrap());
    let block = calculator::encrypt_pin(&cipher, PinFormat::Iso4, &pin, &pan(), &fill).unwrap();
    let from = PinSource { key: &tpk, format: PinFormat::Iso4 };
    let middle = PinSource { key: &wide, format: PinFormat::Iso4 };
    let narrow = PinSource { key: &zpk, format: PinFormat::Iso0 };
    let translate =
        async |from, to, block: &EncryptedPinBlock| hsm.pin_translate(&CTX, from, to, block, &pan()).await.unwrap();
    let block = translate(from, middle, &block).await;
    assert_eq!(block.as_bytes().len(), 16);
    let first = translate(middle, narrow, &block).await;
    let again = translate(narrow, middle, &first).await;
    let second = translate(middle, narrow, &again).await;
    let other = Pan::parse(b"5555551234567890").unwrap();
    let moved = hsm.pin_translate(&CTX, middle, narrow, &again, &other).await.map(|_| ()).unwrap_err();
    assert_eq!(moved, PinError::Block, "bound to its card number");
    vec![first.as_bytes().to_vec(), second.as_bytes().to_vec()]
}

#[tokio::test]
async fn format_4_under_aes_keys_is_translated_as_the_software_hsm_does() {
    let (_host, hsm) = pair().await;
    let ends = wide_way(&hsm).await;
    assert_eq!(ends, wide_way(&software()).await);
    let expected = pin_block("0123456789ABCDEFFEDCBA9876543210", PinFormat::Iso0, b"123456");
    assert!(ends.iter().all(|end| end == expected.as_bytes()));
    let cmac =
        MacScheme { algorithm: MacAlgorithm::AesCmac, padding: Padding::Zeros, output: MacOutput::Binary, length: 8 };
    let key = MacKey(name("zak-aes"));
    let mac = hsm.mac_generate(&CTX, &key, &cmac, b"0200").await.unwrap();
    assert_eq!(mac, software().mac_generate(&CTX, &key, &cmac, b"0200").await.unwrap());
    assert_eq!(hsm.mac_verify(&CTX, &key, &cmac, b"0200", &mac).await.unwrap(), Verdict::Match);
    assert_eq!(hsm.mac_verify(&CTX, &key, &cmac, b"0201", &mac).await.unwrap(), Verdict::NoMatch);
}

#[tokio::test]
async fn aes_keys_are_made_in_key_blocks_where_the_hsm_keeps_such() {
    let host = Host::start(Behaviour::default()).await;
    let hsm = connected(PayshieldSetup { key_blocks: true, ..host.setup() }).await;
    let made = hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Aes256, None).await.unwrap();
    let key = MacKey(KeyRef::Block(made.block.clone()));
    let cmac =
        MacScheme { algorithm: MacAlgorithm::AesCmac, padding: Padding::Zeros, output: MacOutput::Binary, length: 8 };
    let mac = hsm.mac_generate(&CTX, &key, &cmac, b"x").await.unwrap();
    assert_eq!(hsm.mac_verify(&CTX, &key, &cmac, b"x", &mac).await.unwrap(), Verdict::Match);
    let kcv = hsm.key_check_value(&CTX, &key.0, 3).await.unwrap();
    assert_eq!(made.kcv.as_bytes()[..3], *kcv.as_bytes());
    let (tmk, aes) = (Kek(name("tmk")), KeyAlgorithm::Aes128);
    let refused = hsm.key_generate(&CTX, KeyUsage::Mac, aes, Some(&tmk)).await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, HsmError::Unsupported(_)), "no AES key travels without its block: {refused}");
}

#[tokio::test]
async fn a_new_key_block_may_do_what_its_role_needs_and_no_more() {
    let host = Host::start(Behaviour::default()).await;
    let hsm = connected(PayshieldSetup { key_blocks: true, ..host.setup() }).await;
    let tmk = Kek(name("tmk"));
    for (usage, kek, head) in [
        (KeyUsage::Pin, Some(&tmk), "71TD00S"),
        (KeyUsage::Pin, None, "72TB00S"),
        (KeyUsage::Mac, Some(&tmk), "M3TC00S"),
        (KeyUsage::Data, Some(&tmk), "23TD00S"),
        (KeyUsage::Pvv, None, "V2TC00S"),
        (KeyUsage::Bdk, None, "B0TX00N"),
        (KeyUsage::Kek, None, "52TB00N"),
    ] {
        let made = hsm.key_generate(&CTX, usage, KeyAlgorithm::Tdes2, kek).await.unwrap();
        // Behind `S1` and four digits of length.
        let block = made.block.as_str().rsplit('/').next().unwrap();
        assert_eq!(&block[6..13], head, "{usage:?}");
    }
}

#[tokio::test]
async fn ibm_offsets_and_new_pvvs_are_those_of_the_software_hsm() {
    let (_host, hsm) = pair().await;
    let (tpk, zpk) = (PinKey(name("tpk")), PinKey(name("zpk")));
    let (ibm, pvk) = (OffsetKey(name("pvk-ibm")), PvKey(name("pvk")));
    let rule = IbmRule { start: 3, length: 12, pad: 0xD };
    for (key, clear) in [(&tpk, TPK), (&zpk, "0123456789ABCDEFFEDCBA9876543210")] {
        let from = PinOrigin::Static(PinSource { key, format: PinFormat::Iso0 });
        let block = pin_block(clear, PinFormat::Iso0, b"123456");
        let method = ReferenceMethod::Ibm { key: &ibm, rule, check: 4 };
        let PinReference::Offset(offset) = software().pin_reference(&CTX, from, &block, &pan(), method).await.unwrap()
        else {
            panic!("an offset")
        };
        let mut wrong = offset.clone();
        wrong[0] = if wrong[0] == b'0' { b'1' } else { b'0' };
        for (offset, verdict) in [(&offset, Verdict::Match), (&wrong, Verdict::NoMatch)] {
            let method = PinMethod::Ibm { key: &ibm, rule, offset };
            assert_eq!(hsm.pin_verify(&CTX, from, &block, &pan(), method).await.unwrap(), verdict);
            assert_eq!(software().pin_verify(&CTX, from, &block, &pan(), method).await.unwrap(), verdict);
        }
        let method = ReferenceMethod::Pvv { key: &pvk, index: b'1' };
        let made = hsm.pin_reference(&CTX, from, &block, &pan(), method).await.unwrap();
        assert_eq!(made, software().pin_reference(&CTX, from, &block, &pan(), method).await.unwrap());
    }
    let elsewhere = IbmRule { start: 0, length: 4, pad: 0xD };
    let from = PinOrigin::Static(PinSource { key: &zpk, format: PinFormat::Iso0 });
    let block = pin_block("0123456789ABCDEFFEDCBA9876543210", PinFormat::Iso0, b"1234");
    let method = PinMethod::Ibm { key: &ibm, rule: elsewhere, offset: b"0000" };
    let refused = hsm.pin_verify(&CTX, from, &block, &pan(), method).await.unwrap_err();
    assert!(matches!(refused, PinError::Hsm(HsmError::Unsupported(_))), "{refused}");
}

#[tokio::test]
async fn macs_of_dukpt_devices_are_those_of_the_software_hsm() {
    let (_host, hsm) = pair().await;
    let (base, ksn) = (BdKey(name("bdk")), Ksn::new(&unhex("FFFF9876543210E00001")).unwrap());
    let key = DukptKey { base: &base, ksn: &ksn };
    for length in [4, 6, 8] {
        let scheme = MacScheme { length, ..RETAIL };
        for direction in [Direction::Request, Direction::Response] {
            let mac = hsm.mac_generate_dukpt(&CTX, key, direction, &scheme, b"0200 message").await.unwrap();
            let same = software().mac_generate_dukpt(&CTX, key, direction, &scheme, b"0200 message").await.unwrap();
            assert_eq!(mac, same);
            for (data, verdict) in [(b"0200 message", Verdict::Match), (b"0210 message", Verdict::NoMatch)] {
                let found = hsm.mac_verify_dukpt(&CTX, key, direction, &scheme, (data, &mac)).await.unwrap();
                assert_eq!(found, verdict);
            }
        }
    }
    let never = Ksn::new(&unhex("FFFF9876543210E00000")).unwrap();
    let key = DukptKey { base: &base, ksn: &never };
    let refused = hsm.mac_generate_dukpt(&CTX, key, Direction::Request, &RETAIL, b"x").await.unwrap_err();
    assert_eq!(refused, HsmError::Key { name: "bdk".into(), fault: KeyFault::Ksn }, "the device's fault, not our bug");
    let here = software().mac_generate_dukpt(&CTX, key, Direction::Request, &RETAIL, b"x").await.unwrap_err();
    assert_eq!(refused, here);
    let of_aes = Ksn::new(&unhex("123456789012345600000001")).unwrap();
    let key = DukptKey { base: &base, ksn: &of_aes };
    let refused = hsm.mac_generate_dukpt(&CTX, key, Direction::Request, &RETAIL, b"x").await.unwrap_err();
    assert_eq!(refused, here);
}

/// Verdicts on PINs, card values and tracks.
async fn verdicts(hsm: &impl Hsm) -> Vec<String> {
    let (tpk, zpk, pvk) = (PinKey(name("tpk")), PinKey(name("zpk")), PvKey(name("pvk")));
    let mut said = Vec::new();
    let pin = ClearPin::parse(b"1234").unwrap();
    let des = DesKey::new(&unhex("1C1C1C1C1C1C1C1C2F2F2F2F2F2F2F2F")).unwrap();
    let pvv = calculator::pvv(&des, 1, &pin, &pan()).unwrap();
    for (key, clear) in [(&tpk, TPK), (&zpk, "0123456789ABCDEFFEDCBA9876543210")] {
        for typed in [b"1234", b"4321"] {
            let block = pin_block(clear, PinFormat::Iso0, typed);
            let from = PinOrigin::Static(PinSource { key, format: PinFormat::Iso0 });
            let method = PinMethod::Pvv { key: &pvk, index: b'1', pvv };
            said.push(format!("{:?}", hsm.pin_verify(&CTX, from, &block, &pan(), method).await));
        }
    }
    let cvk = CvKey(name("cvk"));
    let cvv = hsm.cvv_generate(&CTX, &cvk, &pan(), b"2512", b"201").await.unwrap();
    said.push(format!("{cvv:?}"));
    for (shown, code) in [(&cvv, b"201"), (&cvv, b"999"), (&[b'0'; 3], b"201")] {
        said.push(format!("{:?}", hsm.cvv_verify(&CTX, &cvk, &pan(), (b"2512", code), shown).await));
    }
    let track = Track2::parse(b"4123456789012345=25122011234567890").unwrap();
    let tdk = DesKey::new(&unhex("23232323232323232525252525252525")).unwrap();
    let packed = calculator::encrypt_track(&tdk, &track).unwrap();
    let digits = track.clear().len();
    let opened = hsm.track_decrypt(&CTX, &DataKey(name("tdk")), &packed, digits).await.unwrap().unwrap();
    said.push(String::from_utf8(opened.clear().to_vec()).unwrap());
    said.push(format!("{}", hsm.track_decrypt(&CTX, &DataKey(name("tdk")), &[0; 8], 15).await.unwrap().is_none()));
    said
}

#[tokio::test]
async fn verdicts_on_pins_card_values_and_tracks_are_those_of_the_software_hsm() {
    let (_host, hsm) = pair().await;
    let said = verdicts(&hsm).await;
    assert_eq!(said, verdicts(&software()).await);
    assert_eq!(said[..4], ["Ok(Match)", "Ok(NoMatch)", "Ok(Match)", "Ok(NoMatch)"]);
}

#[tokio::test]
async fn a_pin_of_a_dukpt_device_is_translated() {
    let (_host, hsm) = pair().await;
    let (base, ksn) = (BdKey(name("bdk")), Ksn::new(&unhex("FFFF9876543210E00001")).unwrap());
    let key = dukpt::working_key(&unhex("0123456789ABCDEFFEDCBA9876543210"), &ksn, dukpt::Purpose::Pin).unwrap();
    let pin = ClearPin::parse(b"1234").unwrap();
    let block = calculator::encrypt_pin(&key, PinFormat::Iso0, &pin, &pan(), &Fill::NONE).unwrap();
    let zpk = PinKey(name("zpk"));
    let to = PinSource { key: &zpk, format: PinFormat::Iso0 };
    let from = (DukptKey { base: &base, ksn: &ksn }, PinFormat::Iso0);
    let over_wire = hsm.pin_translate_dukpt(&CTX, from, to, &block, &pan()).await.unwrap();
    let in_process = software().pin_translate_dukpt(&CTX, from, to, &block, &pan()).await.unwrap();
    assert!(over_wire.as_bytes() == in_process.as_bytes());
    let never = Ksn::new(&unhex("FFFF9876543210E00000")).unwrap();
    let from = (DukptKey { base: &base, ksn: &never }, PinFormat::Iso0);
    let refused = hsm.pin_translate_dukpt(&CTX, from, to, &block, &pan()).await.map(|_| ()).unwrap_err();
    assert_eq!(refused, HsmError::Key { name: "bdk".into(), fault: KeyFault::Ksn }.into());
}

#[tokio::test]
async fn chip_cryptograms_are_checked_and_answered_as_the_software_hsm_does() {
    let (_host, hsm) = pair().await;
    let (key, software) = (ImkKey(name("imk")), software());
    let card = EmvCard { pan: pan(), sequence: 1 };
    let data = [0x31; 29];
    let transaction = EmvTransaction { atc: [0, 0x1C], unpredictable: [1, 2, 3, 4], data: &data };
    let issuer = DesKey::new(&unhex("9E15204313F7318ACB79B90BD986AD29")).unwrap();
    let code = ArpcSpec::Method1 { response_code: *b"00" };
    let update = ArpcSpec::Method2 { status_update: [0, 0x82, 0, 0], proprietary: SmallVec::from_slice(&[9, 9]) };
    let cases = [
        (Cvn::Visa10, &code),
        (Cvn::Mastercard16, &code),
        (Cvn::Visa18, &code),
        (Cvn::Visa22, &update),
        (Cvn::Visa18, &update),
    ];
    for (version, answer) in cases {
        let scheme = version.scheme();
        let arqc = chip::card_cryptogram(&issuer, &scheme, &card, &transaction).unwrap();
        for asked in [None, Some(answer)] {
            let over_wire = hsm.arqc_verify(&CTX, &key, (&scheme, &card), &transaction, &arqc, asked).await.unwrap();
            let here = software.arqc_verify(&CTX, &key, (&scheme, &card), &transaction, &arqc, asked).await.unwrap();
            assert_eq!(over_wire, here, "{version:?}");
            assert_eq!((over_wire.verdict, over_wire.arpc.is_some()), (Verdict::Match, asked.is_some()));
        }
        let wrong = hsm.arqc_verify(&CTX, &key, (&scheme, &card), &transaction, &[0; 8], Some(answer)).await.unwrap();
        assert_eq!((wrong.verdict, wrong.arpc), (Verdict::NoMatch, None));
    }
}

#[tokio::test]
async fn a_terminals_working_keys_are_made_used_and_reach_the_terminal() {
    let (_host, hsm) = pair().await;
    let tmk = Kek(name("tmk"));
    let made = hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, Some(&tmk)).await.unwrap();
    let wrapped = made.wrapped.as_ref().unwrap();
    assert_eq!((wrapped.as_bytes().len(), made.kcv.as_bytes().len()), (16, 4));
    // The terminal takes it in: another HSM with the same master key makes the same MAC.
    let terminal = software();
    let at_terminal =
        terminal.key_import(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, &tmk, wrapped, Some(&made.kcv)).await.unwrap();
    let mac = terminal.mac_generate(&CTX, &MacKey(KeyRef::Block(at_terminal)), &RETAIL, b"0200").await.unwrap();
    let ours = MacKey(KeyRef::Block(made.block.clone()));
    assert_eq!(hsm.mac_verify(&CTX, &ours, &RETAIL, b"0200", &mac).await.unwrap(), Verdict::Match);
    assert_eq!(hsm.key_check_value(&CTX, &KeyRef::Block(made.block.clone()), 3).await.unwrap().as_bytes().len(), 3);
    // A block is no other key, and no key that was changed.
    let as_pin = PinKey(KeyRef::Block(made.block.clone()));
    let (zpk, block) = (PinKey(name("zpk")), pin_block(TPK, PinFormat::Iso0, b"1234"));
    let (from, to) =
        (PinSource { key: &as_pin, format: PinFormat::Iso0 }, PinSource { key: &zpk, format: PinFormat::Iso0 });
    let refused = hsm.pin_translate(&CTX, from, to, &block, &pan()).await.map(|_| ()).unwrap_err();
    assert_eq!(refused, HsmError::Key { name: "block".into(), fault: KeyFault::Usage }.into());
    let pin = hsm.key_generate(&CTX, KeyUsage::Pin, KeyAlgorithm::Tdes2, Some(&tmk)).await.unwrap();
    assert_ne!(pin.kcv, made.kcv);
    let refused = hsm.key_generate(&CTX, KeyUsage::Pin, KeyAlgorithm::Des, Some(&tmk)).await.map(|_| ()).unwrap_err();
    assert_eq!(refused, HsmError::Key { name: "block".into(), fault: KeyFault::Algorithm });
}

#[tokio::test]
async fn a_zones_key_comes_in_and_goes_out_and_its_check_value_must_agree() {
    let (_host, hsm) = pair().await;
    let zmk = Kek(name("zmk"));
    let out = hsm.key_export(&CTX, &name("zpk-b"), &zmk).await.unwrap();
    assert_eq!(out, software().key_export(&CTX, &name("zpk-b"), &zmk).await.unwrap());
    let kcv = hsm.key_check_value(&CTX, &name("zpk-b"), 4).await.unwrap();
    assert_eq!(kcv, software().key_check_value(&CTX, &name("zpk-b"), 4).await.unwrap());
    let too_long = hsm.key_check_value(&CTX, &name("zpk-b"), 5).await;
    assert_eq!(too_long, Err(HsmError::Input("check value length")), "of enciphered zeros four bytes at most");
    assert_eq!(hsm.key_check_value(&CTX, &name("zak-aes"), 5).await.unwrap().as_bytes().len(), 5);
    let short = Kcv::new(&kcv.as_bytes()[..3]).unwrap();
    for kcv in [&kcv, &short] {
        let block = hsm.key_import(&CTX, KeyUsage::Pin, KeyAlgorithm::Tdes2, &zmk, &out, Some(kcv)).await.unwrap();
        assert_eq!(&hsm.key_check_value(&CTX, &KeyRef::Block(block), kcv.as_bytes().len()).await.unwrap(), kcv);
    }
    let wrong = Kcv::new(&[1, 2, 3]).unwrap();
    let refused = hsm.key_import(&CTX, KeyUsage::Pin, KeyAlgorithm::Tdes2, &zmk, &out, Some(&wrong)).await;
    assert_eq!(refused, Err(HsmError::Key { name: "block".into(), fault: KeyFault::CheckValue }));
    // Two equal halves are single length in disguise.
    let same = [&out.as_bytes()[..8], &out.as_bytes()[..8]].concat();
    let refused =
        hsm.key_import(&CTX, KeyUsage::Pin, KeyAlgorithm::Tdes2, &zmk, &WrappedKey::new(same.into()), None).await;
    assert_eq!(
        refused,
        Err(HsmError::Key { name: "block".into(), fault: KeyFault::Masquerade }),
        "not the ZMK's fault"
    );
    let refused = hsm.key_import(&CTX, KeyUsage::Pin, KeyAlgorithm::Tdes2, &Kek(name("tmk")), &out, None).await;
    assert_eq!(refused, Err(HsmError::Key { name: "tmk".into(), fault: KeyFault::Usage }));
    for stays in ["tmk", "bdk", "imk"] {
        let refused = hsm.key_export(&CTX, &name(stays), &zmk).await;
        assert_eq!(refused, Err(HsmError::Key { name: stays.into(), fault: KeyFault::NotExportable }));
        assert_eq!(software().key_export(&CTX, &name(stays), &zmk).await, refused, "as in process");
    }
}

#[tokio::test]
async fn sealing_keys_are_kept_under_the_hsms_keys_and_open_for_their_purpose_only() {
    let (_host, hsm) = pair().await;
    let (block, seal) = hsm.data_key_new(&CTX, DataKeyPurpose::Seal).await.unwrap();
    let (_, token) = hsm.data_key_new(&CTX, DataKeyPurpose::Token).await.unwrap();
    let again = hsm.data_key_open(&CTX, DataKeyPurpose::Seal, &block).await.unwrap();
    let day = BusinessDate::new(2026, 11, 22).unwrap();
    let sealer = |key| {
        let sealer = DataKeySealer::new(&token, super::rig::Chance::new()).unwrap();
        sealer.add(day, key).unwrap();
        sealer
    };
    let sealed = sealer(&seal).seal(day, &pan(), b"here").unwrap();
    assert!(sealer(&again).open(day, &sealed, b"here").is_ok_and(|opened| opened == pan()));
    let fault = |fault| HsmError::Key { name: "block".into(), fault };
    let other = hsm.data_key_open(&CTX, DataKeyPurpose::Token, &block).await.map(|_| ()).unwrap_err();
    assert_eq!(other, fault(KeyFault::Usage));
    let moved = tollgate::model::KeyBlock::new(&block.as_str().replace("/seal/", "/token/"));
    let moved = hsm.data_key_open(&CTX, DataKeyPurpose::Token, &moved).await.map(|_| ()).unwrap_err();
    assert_eq!(moved, fault(KeyFault::Block));
    let foreign = tollgate::model::KeyBlock::new("D0112P0AE00E0000");
    assert_eq!(
        hsm.data_key_open(&CTX, DataKeyPurpose::Seal, &foreign).await.map(|_| ()).unwrap_err(),
        fault(KeyFault::Block)
    );
}

#[tokio::test]
async fn randomness_and_diagnostics_come_from_the_hsm() {
    let (host, hsm) = pair().await;
    let (mut first, mut second) = ([0; 700], [0; 700]);
    hsm.random(&CTX, &mut first).await.unwrap();
    hsm.random(&CTX, &mut second).await.unwrap();
    assert!(first != second && first[600..].iter().any(|byte| *byte != 0));
    assert_eq!(host.served.counts()[&(*b"N0", *b"00")], 6);
    let status = hsm.diagnostics(&CTX).await.unwrap();
    assert_eq!(
        (status.product.as_str(), status.master.unwrap().to_string().as_str()),
        ("payshield 0000-TEST", "268604")
    );
    assert_eq!(hsm.capabilities().profile, HsmProfile::PinCertified);
    assert!(hsm.ready(LONG).await);
}

/// What the HSM gave out under one type is no key under another, and no key at all if a digit changed.
#[tokio::test]
async fn a_key_of_another_type_or_with_a_changed_digit_does_not_open() {
    let host = Host::start(Behaviour::default()).await;
    let mut setup = host.setup();
    for key in &mut setup.keys {
        match key.name.as_str() {
            "tak" => key.key_type = KeyType::ZAK,
            "zak" => {
                let (front, last) = key.key.as_str().split_at(32);
                let other = if last == "0" { "1" } else { "0" };
                key.key = HostKey::parse(&format!("{front}{other}")).unwrap();
            }
            _ => {}
        }
    }
    let hsm = connected(setup).await;
    for key in ["tak", "zak"] {
        let refused = hsm.mac_generate(&CTX, &MacKey(name(key)), &RETAIL, b"0200").await;
        assert_eq!(refused, Err(HsmError::Key { name: key.into(), fault: KeyFault::Block }));
    }
}

#[tokio::test]
async fn a_key_whose_parity_is_not_odd_is_taken_in_mended() {
    let (host, hsm) = pair().await;
    let zmk = Kek(name("zmk"));
    let zone = CipherKey::new(KeyAlgorithm::Tdes2, &unhex("0123456789ABCDEFFEDCBA9876543210")).unwrap();
    let cipher = calculator::keys::wrap_ecb(&zone, &unhex("00112233445566778899AABBCCDDEEFF")).unwrap();
    let wrapped = WrappedKey::new(cipher.into());
    assert!(hsm.key_import(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, &zmk, &wrapped, None).await.is_ok());
    assert_eq!(host.served.counts()[&(*b"A6", *b"01")], 1);
}

/// Where the HSM has another type for a role: under it the named key is kept, and a new one comes out.
#[tokio::test]
async fn keys_are_told_by_the_types_of_the_hsms_own_table() {
    let host = Host::start(Behaviour::default()).await;
    let clear = unhex("13131313131313134545454545454545");
    let tdes = CipherKey::new(KeyAlgorithm::Tdes2, &clear).unwrap();
    let expected = calculator::keys::check_value(&tdes, calculator::keys::KcvMethod::EncryptZeros, 3).unwrap();
    for (types, holds) in [(&[("tpk", "702")][..], true), (&[][..], false)] {
        let mut setup = host.setup();
        setup.key_types = KeyTypes::with(types).unwrap();
        let own = KeyType::parse("702").unwrap();
        for key in setup.keys.iter_mut().filter(|key| key.name.as_str() == "tpk") {
            (key.key_type, key.key) = (own, test_key(own, &zeroize::Zeroizing::new(clear.clone())).unwrap());
        }
        let hsm = connected(setup).await;
        let check = hsm.key_check_value(&CTX, &name("tpk"), 3).await;
        if !holds {
            assert_eq!(check, Err(HsmError::Key { name: "tpk".into(), fault: KeyFault::Usage }));
            continue;
        }
        assert_eq!(check.unwrap(), expected);
        let made = hsm.key_generate(&CTX, KeyUsage::Pin, KeyAlgorithm::Tdes2, Some(&Kek(name("tmk")))).await.unwrap();
        let again = hsm.key_check_value(&CTX, &KeyRef::Block(made.block.clone()), 3).await.unwrap();
        assert_eq!(again.as_bytes(), &made.kcv.as_bytes()[..3]);
        let usual = connected(host.setup()).await;
        let refused = usual.key_check_value(&CTX, &KeyRef::Block(made.block), 3).await;
        assert!(refused.is_err() || refused.unwrap() != again, "it is under another variant");
    }
}
