//! A counterpart on a free port, a pool towards it, and the same keys in a software HSM.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tollgate::hsm::Ctx;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyName;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::Mac;
use tollgate::hsm::MacKey;
use tollgate::hsm::payshield::NamedHostKey;
use tollgate::hsm::payshield::PayshieldHsm;
use tollgate::hsm::payshield::PayshieldSetup;
use tollgate::hsm::payshield::PoolStats;
use tollgate::hsm::payshield::SealingKeys;
use tollgate::hsm::payshield::behaviour::Behaviour;
use tollgate::hsm::payshield::code::KeyType;
use tollgate::hsm::payshield::command::keys::Under;
use tollgate::hsm::payshield::counterpart::Counterpart;
use tollgate::hsm::payshield::counterpart::test_key;
use tollgate::hsm::payshield::counterpart::test_key_block;
use tollgate::hsm::payshield::serve::Served;
use tollgate::hsm::payshield::serve::serve;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::model::Entropy;
use tollgate::model::MacAlgorithm;
use tollgate::model::MacOutput;
use tollgate::model::MacScheme;
use tollgate::model::Padding;
use zeroize::Zeroizing;

/// Long enough for a busy machine; a test that needs it all has failed.
pub(crate) const LONG: Duration = Duration::from_secs(20);
pub(crate) const CTX: Ctx = Ctx { within: LONG };
/// A retail MAC of four bytes.
pub(crate) const RETAIL: MacScheme =
    MacScheme { algorithm: MacAlgorithm::X919, padding: Padding::Zeros, output: MacOutput::Binary, length: 4 };

/// A fixed pseudo-random stream.
pub(crate) struct Chance(Mutex<u64>);

impl Chance {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(42)))
    }
}

impl Entropy for Chance {
    fn fill(&self, out: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for byte in out {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (*state >> 56) as u8;
        }
    }
}

/// Name, usage, the HSM's type, clear key in hex, parity odd.
const KEYS: &[(&str, KeyUsage, &str, &str)] = &[
    ("zmk", KeyUsage::Kek, "000", "0123456789ABCDEFFEDCBA9876543210"),
    ("tmk", KeyUsage::Kek, "002", "10101010101010102020202020202020"),
    ("tpk", KeyUsage::Pin, "002", "13131313131313134545454545454545"),
    ("zpk", KeyUsage::Pin, "001", "0123456789ABCDEFFEDCBA9876543210"),
    ("zpk-b", KeyUsage::Pin, "001", "40404040404040404F4F4F4F4F4F4F4F"),
    ("tak", KeyUsage::Mac, "003", "0123456789ABCDEFFEDCBA9876543210"),
    ("tak-single", KeyUsage::Mac, "003", "0123456789ABCDEF"),
    ("zak", KeyUsage::Mac, "008", "61616161616161617070707070707070"),
    ("tdk", KeyUsage::Data, "30B", "23232323232323232525252525252525"),
    ("pvk", KeyUsage::Pvv, "002", "1C1C1C1C1C1C1C1C2F2F2F2F2F2F2F2F"),
    ("pvk-ibm", KeyUsage::IbmPin, "002", "2F2F2F2F2F2F2F2F1C1C1C1C1C1C1C1C"),
    ("cvk", KeyUsage::Cvv, "402", "0123456789ABCDEFFEDCBA9876543210"),
    ("bdk", KeyUsage::Bdk, "009", "0123456789ABCDEFFEDCBA9876543210"),
    ("imk", KeyUsage::EmvCryptogram, "109", "9E15204313F7318ACB79B90BD986AD29"),
    ("sealing", KeyUsage::Data, "00B", "51515151515151515252525252525252"),
    ("sealing-mac", KeyUsage::Mac, "008", "31313131313131313434343434343434"),
];

/// AES keys, which such an HSM keeps in key blocks: name, usage, type, key, and whether it is a terminal's.
const AES_KEYS: &[(&str, KeyUsage, &str, &str, bool)] = &[
    ("tpk-aes", KeyUsage::Pin, "002", AES_TPK, true),
    ("zpk-aes", KeyUsage::Pin, "001", "00112233445566778899AABBCCDDEEFF", false),
    ("zak-aes", KeyUsage::Mac, "008", "2B7E151628AED2A6ABF7158809CF4F3C", false),
];
pub(crate) const AES_TPK: &str = "C1D0F8FB4958670DBA40AB1F3752EF0D";

fn aes_keys() -> impl Iterator<Item = NamedHostKey> {
    AES_KEYS.iter().map(|(name, usage, key_type, hex, is_terminals)| {
        let under = if *is_terminals { Under::Terminal } else { Under::Zone };
        let key = test_key_block(*usage, KeyAlgorithm::Aes128, under, &Zeroizing::new(unhex(hex))).unwrap();
        NamedHostKey::parse(name, *usage, KeyAlgorithm::Aes128, (key_type, key.as_str())).unwrap()
    })
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn name(text: &str) -> KeyRef {
    KeyRef::Named(KeyName::parse(text).unwrap())
}

fn algorithm(key: &[u8]) -> KeyAlgorithm {
    if key.len() == 8 { KeyAlgorithm::Des } else { KeyAlgorithm::Tdes2 }
}

/// The keys under the public test key.
fn host_keys() -> Vec<NamedHostKey> {
    let row = |(name, usage, key_type, hex): &(&str, KeyUsage, &str, &str)| {
        let clear = Zeroizing::new(unhex(hex));
        let key = test_key(KeyType::parse(key_type).unwrap(), &clear).unwrap();
        NamedHostKey::parse(name, *usage, algorithm(&clear), (key_type, key.as_str())).unwrap()
    };
    KEYS.iter().map(row).chain(aes_keys()).collect()
}

/// Everything that must never show in an error: keys in clear and under the test key.
pub(crate) fn secrets() -> Vec<String> {
    let clear = KEYS.iter().map(|row| row.3.to_owned());
    clear.chain(host_keys().iter().map(|key| key.key.as_str().to_owned())).collect()
}

/// The same keys in process.
pub(crate) fn software() -> SoftwareHsm {
    let start = SoftwareHsm::builder(Chance::new(), Zeroizing::new([0x5A; 32]));
    let add = |builder: tollgate::hsm::software::SoftwareHsmBuilder, row: &(&str, KeyUsage, &str, &str)| {
        let clear = Zeroizing::new(unhex(row.3));
        builder.key(KeyName::parse(row.0).unwrap(), row.1, algorithm(&clear), clear)
    };
    let start = AES_KEYS.iter().fold(start, |builder, (name, usage, _, hex, _)| {
        builder.key(KeyName::parse(name).unwrap(), *usage, KeyAlgorithm::Aes128, Zeroizing::new(unhex(hex)))
    });
    KEYS.iter().fold(start, add).build().unwrap()
}

/// A served HSM; it ends with the test.
pub(crate) struct Host {
    pub(crate) served: Arc<Served>,
    pub(crate) address: SocketAddr,
    end: CancellationToken,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Host {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), behaviour, 4).await
    }

    pub(crate) async fn on(address: SocketAddr, behaviour: Behaviour, header: usize) -> Self {
        let listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                // The port of a server that just ended may take a moment to be free.
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        let address = listener.local_addr().unwrap();
        let served = Arc::new(Served::new(Counterpart::new(Chance::new()).odd_parity(), header, behaviour, 1));
        let end = CancellationToken::new();
        tokio::spawn(serve(Arc::clone(&served), listener, None, end.clone()));
        Self { served, address, end }
    }

    pub(crate) fn setup(&self) -> PayshieldSetup {
        setup(&[self.address])
    }
}

/// Quick to fail and to come back.
pub(crate) fn setup(addresses: &[SocketAddr]) -> PayshieldSetup {
    PayshieldSetup {
        addresses: addresses.iter().map(ToString::to_string).collect(),
        connections: 1,
        back_off: Duration::from_millis(5),
        back_off_most: Duration::from_millis(50),
        cool_down: Duration::from_millis(50),
        long_check_values: true,
        keys: host_keys(),
        sealing: Some(SealingKeys {
            data: KeyName::parse("sealing").unwrap(),
            mac: KeyName::parse("sealing-mac").unwrap(),
        }),
        ..PayshieldSetup::new("")
    }
}

pub(crate) async fn connected(setup: PayshieldSetup) -> PayshieldHsm {
    let all = setup.addresses.len() * setup.connections;
    let hsm = PayshieldHsm::start(setup).unwrap();
    assert!(hsm.ready(LONG).await, "no connection");
    until(|| hsm.connections().iter().filter(|connection| connection.up).count() == all).await;
    hsm
}

/// Waits until something is so.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.expect("it did not come about");
}

pub(crate) async fn until_stats(hsm: &PayshieldHsm, holds: impl Fn(PoolStats) -> bool) {
    until(|| holds(hsm.stats())).await;
}

/// Any call: a MAC under the terminal's key.
pub(crate) async fn mac(hsm: &PayshieldHsm, data: &[u8]) -> Result<Mac, HsmError> {
    mac_within(hsm, LONG, data).await
}

pub(crate) async fn mac_within(hsm: &PayshieldHsm, within: Duration, data: &[u8]) -> Result<Mac, HsmError> {
    hsm.mac_generate(&Ctx { within }, &MacKey(name("tak")), &RETAIL, data).await
}
