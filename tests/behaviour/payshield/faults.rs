//! An HSM that is slow, gone, broken, answers garbage, another call's answer, half an answer, or hangs
//! up: each is a typed and counted error in time, and none shows a key or a PIN.

use super::rig::CTX;
use super::rig::Host;
use super::rig::LONG;
use super::rig::connected;
use super::rig::mac;
use super::rig::mac_within;
use super::rig::name;
use super::rig::secrets;
use super::rig::setup;
use super::rig::until;
use super::rig::until_stats;
use std::time::Duration;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tollgate::hsm::Ctx;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::Kek;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::PinKey;
use tollgate::hsm::PinSource;
use tollgate::hsm::payshield::PayshieldHsm;
use tollgate::hsm::payshield::PayshieldSetup;
use tollgate::hsm::payshield::behaviour::Behaviour;
use tollgate::hsm::payshield::behaviour::Delay;
use tollgate::hsm::payshield::code::ErrorCode;
use tollgate::model::EncryptedPinBlock;
use tollgate::model::Pan;
use tollgate::model::PinFormat;

fn good() -> Behaviour {
    Behaviour::default()
}

fn garbled() -> HsmError {
    HsmError::Backend("unreadable answer".into())
}

#[tokio::test]
async fn a_slow_hsm_is_a_timeout_at_the_deadline_and_its_late_answer_is_counted() {
    let host = Host::start(Behaviour { delay: Delay::Fixed(Duration::from_millis(300)), ..good() }).await;
    let hsm = connected(host.setup()).await;
    let start = Instant::now();
    let within = Duration::from_millis(40);
    assert_eq!(mac_within(&hsm, within, b"slow").await, Err(HsmError::Timeout));
    assert!(start.elapsed() >= within && start.elapsed() < Duration::from_millis(300), "{:?}", start.elapsed());
    until_stats(&hsm, |stats| stats.late == 1).await;
    assert_eq!((hsm.stats().timed_out, hsm.stats().lost), (1, 0));
    assert!(mac(&hsm, b"patient").await.is_ok());
}

#[tokio::test]
async fn an_hsm_that_never_answers_keeps_nobody_waiting_and_is_left_alone_until_it_does() {
    let host = Host::start(good()).await;
    let hsm = connected(PayshieldSetup { trip_after: 3, ..host.setup() }).await;
    host.served.behave(Behaviour { drop: 1.0, ..good() });
    for _ in 0..3 {
        assert_eq!(mac_within(&hsm, Duration::from_millis(20), b"x").await, Err(HsmError::Timeout));
    }
    assert!(hsm.stats().opened == 1 && hsm.connections()[0].open);
    // Out: refused at once, whatever time the caller has.
    assert_eq!(mac(&hsm, b"x").await, Err(HsmError::Unavailable));
    // It answers its diagnostics, so it is tried again, and fails at the first call.
    until(|| !hsm.connections()[0].open).await;
    assert_eq!(mac_within(&hsm, Duration::from_millis(20), b"x").await, Err(HsmError::Timeout));
    assert_eq!(hsm.stats().opened, 2);
    host.served.behave(good());
    until(|| !hsm.connections()[0].open).await;
    assert!(mac(&hsm, b"x").await.is_ok());
    assert_eq!((hsm.stats().closed, hsm.stats().unavailable), (2, 1));
}

#[tokio::test]
async fn a_hung_hsm_loses_its_connection_to_the_next_probe() {
    let host = Host::start(good()).await;
    let quick = Duration::from_millis(30);
    let hsm = connected(PayshieldSetup { probe_after: quick, probe_within: quick, ..host.setup() }).await;
    host.served.behave(Behaviour { drop: 1.0, spoils_diagnostics: true, ..good() });
    until_stats(&hsm, |stats| stats.disconnected >= 1).await;
    assert_eq!(mac(&hsm, b"x").await, Err(HsmError::Unavailable));
    host.served.behave(good());
    assert!(hsm.ready(LONG).await && mac(&hsm, b"x").await.is_ok());
}

#[tokio::test]
async fn an_hsm_that_is_gone_is_an_error_at_once_and_found_again_when_it_is_back() {
    let host = Host::start(good()).await;
    let hsm = connected(host.setup()).await;
    let address = host.address;
    drop(host);
    until(|| !hsm.connections()[0].up).await;
    assert_eq!(mac(&hsm, b"x").await, Err(HsmError::Unavailable));
    let _back = Host::on(address, good(), 4).await;
    assert!(hsm.ready(LONG).await && mac(&hsm, b"x").await.is_ok());
    assert_eq!((hsm.stats().connected, hsm.stats().disconnected), (2, 1));
}

#[tokio::test]
async fn nobody_there_at_all_is_unavailable() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hsm = PayshieldHsm::start(setup(&[nobody])).unwrap();
    assert_eq!(mac(&hsm, b"x").await, Err(HsmError::Unavailable));
    assert!(!hsm.ready(Duration::from_millis(30)).await);
}

#[tokio::test]
async fn garbage_is_an_error_and_ends_the_connection_that_brought_it() {
    let host = Host::start(good()).await;
    let hsm = connected(host.setup()).await;
    host.served.behave(Behaviour { garbage: 1.0, ..good() });
    let made = hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, Some(&Kek(name("tmk")))).await;
    assert_eq!(made.map(|_| ()), Err(garbled()));
    until_stats(&hsm, |stats| stats.garbage == 1 && stats.disconnected == 1).await;
    host.served.behave(good());
    until(|| hsm.stats().connected == 2 && hsm.connections()[0].up).await;
    assert!(mac(&hsm, b"x").await.is_ok());
}

#[tokio::test]
async fn an_answer_under_another_calls_header_ends_the_connection_and_all_calls_on_it() {
    let host = Host::start(good()).await;
    let hsm = connected(host.setup()).await;
    host.served.behave(Behaviour { other: 1.0, ..good() });
    let made = hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, Some(&Kek(name("tmk")))).await;
    assert_eq!(made.map(|_| ()), Err(HsmError::Unavailable));
    assert_eq!((hsm.stats().unmatched, hsm.stats().lost), (1, 1));
}

/// Answers the first diagnostics, then `with` to every further command; the header is the caller's.
async fn liar(with: &'static [u8]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(lie(stream, with));
        }
    });
    address
}

async fn lie(mut stream: TcpStream, with: &[u8]) -> std::io::Result<()> {
    loop {
        let mut request = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut request).await?;
        let honest = &request[4..6] == b"NC";
        let body: &[u8] = if honest { b"ND0026860400000000000000-TEST" } else { with };
        let length = u16::try_from(4 + body.len()).unwrap();
        stream.write_all(&[&length.to_be_bytes(), &request[..4], body].concat()).await?;
    }
}

#[tokio::test]
async fn an_answer_to_another_command_or_one_cut_short_is_no_answer() {
    let lies: [&[u8]; 6] = [b"CB00041111111111111111", b"M9", b"M7", b"M7 0", b"M700C57E", b"M700C57E42ZZ"];
    for lie in lies {
        let liar = setup(&[liar(lie).await]);
        let hsm = connected(PayshieldSetup { trailers: false, ..liar }).await;
        let error = mac(&hsm, b"x").await.unwrap_err();
        // The second attempt may find the connection not yet back.
        assert!(error == garbled() || error == HsmError::Unavailable, "{error}");
        assert!(hsm.stats().garbage >= 1);
    }
}

#[tokio::test]
async fn a_frame_of_impossible_length_ends_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hsm = PayshieldHsm::start(setup(&[listener.local_addr().unwrap()])).unwrap();
    for bytes in [&[0xFF_u8, 0xFF][..], &[0, 3]] {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        // Closed from the other side, by an end or a reset.
        let _ = stream.read_to_end(&mut rest).await;
    }
    assert_eq!(mac(&hsm, b"x").await, Err(HsmError::Unavailable));
}

#[tokio::test]
async fn half_an_answer_and_a_connection_that_closes_are_lost_calls() {
    for behaviour in [Behaviour { half: 1.0, ..good() }, Behaviour { close: 1.0, ..good() }] {
        let host = Host::start(good()).await;
        let hsm = connected(host.setup()).await;
        host.served.behave(behaviour);
        let made = hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, Some(&Kek(name("tmk")))).await;
        assert_eq!(made.map(|_| ()), Err(HsmError::Unavailable));
        assert_eq!((hsm.stats().lost, hsm.stats().repeated), (1, 0), "a key is not made twice");
        host.served.behave(good());
        until(|| hsm.stats().connected == 2 && hsm.connections()[0].up).await;
        assert!(mac(&hsm, b"x").await.is_ok());
    }
}

#[tokio::test]
async fn a_lost_call_that_does_no_harm_is_asked_again_of_another_hsm() {
    let (bad, other) = (Host::start(Behaviour { close: 1.0, ..good() }).await, Host::start(good()).await);
    let hsm = connected(setup(&[bad.address, other.address])).await;
    // With nothing outstanding the first connection is chosen.
    let mac = mac(&hsm, b"x").await;
    assert!(mac.is_ok(), "{mac:?}");
    assert_eq!((hsm.stats().lost, hsm.stats().repeated), (1, 1));
    assert_eq!(other.served.counts()[&(*b"M6", *b"00")], 1);
}

#[tokio::test]
async fn an_hsm_that_says_it_is_broken_is_out_at_once_and_the_other_one_serves() {
    let (bad, other) = (Host::start(Behaviour { errors: 1.0, ..good() }).await, Host::start(good()).await);
    let two = setup(&[bad.address, other.address]);
    let hsm = connected(PayshieldSetup { cool_down: LONG, connections: 2, ..two }).await;
    assert!(mac(&hsm, b"x").await.is_ok(), "asked once more of the other");
    let open: Vec<_> = hsm.connections().iter().map(|connection| connection.open).collect();
    assert_eq!(open, [true, false, true, false], "all connections to the broken one");
    let stats = hsm.stats();
    assert_eq!((stats.hardware, stats.opened, stats.repeated), (1, 2, 1));
    for _ in 0..5 {
        assert!(mac(&hsm, b"x").await.is_ok());
    }
    assert_eq!(bad.served.counts()[&(*b"M6", *b"41")], 1);
}

#[tokio::test]
async fn a_command_that_one_hsm_does_not_serve_is_asked_of_the_other() {
    for code in [*b"12", *b"17", *b"68", *b"ZZ"] {
        let refuses = Behaviour { errors: 1.0, error_code: ErrorCode::parse(code).unwrap(), ..good() };
        let (bad, other) = (Host::start(refuses).await, Host::start(good()).await);
        let hsm = connected(setup(&[bad.address, other.address])).await;
        for _ in 0..10 {
            assert!(mac(&hsm, b"x").await.is_ok());
        }
        assert!(hsm.connections().iter().all(|connection| !connection.open), "other commands may be served");
        assert_eq!(other.served.counts()[&(*b"M6", *b"00")], 10);
        assert!(bad.served.counts()[&(*b"M6", code)] > 0, "it was asked");
    }
}

#[tokio::test]
async fn a_broken_hsm_alone_says_its_code_and_a_key_is_not_made_twice() {
    let (alone, other) = (Host::start(Behaviour { errors: 1.0, ..good() }).await, Host::start(good()).await);
    let hsm = connected(PayshieldSetup { cool_down: LONG, ..alone.setup() }).await;
    assert_eq!(mac(&hsm, b"x").await, Err(HsmError::Backend("41".into())));
    let hsm = connected(setup(&[alone.address, other.address])).await;
    let made = hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, Some(&Kek(name("tmk")))).await;
    assert_eq!(made.map(|_| ()), Err(HsmError::Backend("41".into())));
}

#[tokio::test]
async fn two_answers_of_one_command_that_an_hsm_swaps_are_found_out() {
    let host = Host::start(good()).await;
    let honest = connected(host.setup()).await;
    let (first, second) = (mac(&honest, b"one").await.unwrap(), mac(&honest, b"two").await.unwrap());
    let hsm = connected(host.setup()).await;
    let blind = connected(PayshieldSetup { trailers: false, ..host.setup() }).await;
    host.served.behave(Behaviour { swap: 1.0, ..good() });
    let swapped = tokio::join!(mac(&blind, b"one"), mac(&blind, b"two"));
    assert_eq!(swapped, (Ok(second), Ok(first)), "by their headers alone nobody can tell");
    let refused = tokio::join!(mac(&hsm, b"one"), mac(&hsm, b"two"));
    assert!(refused.0.is_err() && refused.1.is_err(), "{refused:?}");
    assert!(hsm.stats().garbage >= 1 && refused.0 == Err(garbled()), "{refused:?}");
}

#[tokio::test]
async fn errors_name_keys_and_codes_and_show_no_key_and_no_pin() {
    let host = Host::start(good()).await;
    let hsm = connected(host.setup()).await;
    let (tpk, zpk) = (PinKey(name("tpk")), PinKey(name("zpk")));
    let (from, to) =
        (PinSource { key: &tpk, format: PinFormat::Iso0 }, PinSource { key: &zpk, format: PinFormat::Iso0 });
    let (block, pan) = (EncryptedPinBlock::new(&[0xC5; 8]).unwrap(), Pan::parse(b"4123456789012345").unwrap());
    let codes = [
        "01", "10", "11", "12", "13", "15", "17", "20", "22", "23", "24", "26", "27", "28", "29", "33", "39", "41",
        "42", "47", "67", "68", "69", "75", "80", "90", "A4", "A6", "A7", "A8", "AA", "BD",
    ];
    let mut said = String::new();
    for code in codes {
        let error_code = ErrorCode::parse(code.as_bytes().try_into().unwrap()).unwrap();
        host.served.behave(Behaviour { errors: 1.0, error_code, ..good() });
        until(|| hsm.connections()[0].up && !hsm.connections()[0].open).await;
        let short = Ctx { within: Duration::from_millis(500) };
        let pin = hsm.pin_translate(&short, from, to, &block, &pan).await.map(|_| ()).unwrap_err();
        until(|| hsm.connections()[0].up && !hsm.connections()[0].open).await;
        let key = hsm.key_generate(&short, KeyUsage::Mac, KeyAlgorithm::Tdes2, Some(&Kek(name("tmk")))).await;
        said += &format!("{code}: {pin} {pin:?} {:?}\n", key.map(|_| ()).unwrap_err());
    }
    host.served.behave(good());
    said += &format!("{:?} {:?}", hsm.stats(), hsm.connections());
    for secret in secrets().iter().map(String::as_str).chain(["C5C5", "4123456789012345", "412345678901"]) {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(said.contains("20: PIN block does not verify"));
    assert!(said.contains("10: key tpk: key block does not verify") && said.contains("11: key zpk"), "{said}");
}
