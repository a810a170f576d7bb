//! What rules see of a request beside the request itself: where it takes place, and what is odd about it.

use super::enforce::says_opened;
use super::exchange::Exchange;
use super::station::{Station, World};
use crate::iso8583::Role;
use crate::iso8583::device_data;
use crate::model::Capabilities;
use crate::model::Clock;
use crate::model::Firmware;
use crate::model::Mcc;
use crate::model::NetworkPolicy;
use crate::model::Priced;
use crate::model::Region;
use crate::model::Request;
use crate::model::ResponseCode;
use crate::model::TerminalFacts;
use crate::registry::Heard;
use crate::registry::Registry;
use crate::risk::Refusal;
use crate::risk::Scene;
use crate::risk::Signs;

/// What a device says of itself in a request (DE 59).
struct Said<'a> {
    serial: Option<&'a str>,
    firmware: Option<Firmware>,
}

impl<W: World> Station<W> {
    /// The scene of a request whose MAC verified.
    pub(super) fn scene(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        request: &Request,
        heard: &Heard,
    ) -> Scene {
        let registry = self.parts.registry.load();
        let (callers, now) = (self.parts.sessions.callers(), self.parts.clock.monotonic());
        let data = exchange.message.role(Role::TerminalData);
        let said = Said {
            serial: data.as_deref().and_then(device_data::serial_number),
            firmware: data.as_deref().and_then(device_data::firmware),
        };
        let home = home(facts);
        Scene {
            region: region(exchange, request, &registry, facts).or(home),
            home,
            mcc: mcc(exchange, request, facts),
            registered_mcc: facts.site.shop.mcc,
            bin: Some(request.pan.bin()),
            firmware: said.firmware.or(facts.site.hardware.as_ref().and_then(|hardware| hardware.firmware)),
            fee: self.parts.rates.load().rate(&Priced {
                merchant: facts.merchant,
                mcc: facts.site.shop.mcc,
                card: registry.bins().class(&request.pan),
                currency: request.currency,
                date: facts.date(request.received),
            }),
            silent: heard.silent.map(|silent| u32::try_from(silent.as_secs()).unwrap_or(u32::MAX)),
            mac_failures: callers.failures(exchange.from.household, now),
            signs: signs(exchange, request, facts, &said)
                .with_if(heard.moved && facts.site.network != NetworkPolicy::Any, Signs::SOURCE_CHANGED),
        }
    }

    /// From where a request came whose MAC verified, and after how long.
    pub(super) fn heard(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Heard {
        let (callers, now) = (self.parts.sessions.callers(), self.parts.clock.monotonic());
        callers.heard(facts.terminal, exchange.from.household, now, &facts.site.network)
    }

    /// Counts a MAC that is none against who sent it.
    pub(super) fn mac_failed(&self, exchange: &Exchange<'_>) {
        self.parts.sessions.callers().failed(exchange.from.household, self.parts.clock.monotonic());
    }
}

/// A terminal whose addresses the registry knows comes from one of them, and one that is pinned from where it was first
/// heard (58); reversals and advices come from anywhere.
pub(super) fn source_refusal(
    exchange: &Exchange<'_>,
    facts: &TerminalFacts,
    request: &Request,
    heard: &Heard,
) -> Option<Refusal> {
    let strays = match &facts.site.network {
        NetworkPolicy::Among(networks) => !networks.iter().any(|network| network.contains(exchange.from.household)),
        NetworkPolicy::Pin => heard.moved,
        NetworkPolicy::Any | NetworkPolicy::Learn | NetworkPolicy::Warn => false,
    };
    let refused = strays && request.kind.may_be_refused();
    refused.then(|| Refusal { code: ResponseCode::TerminalForbidden, rule: "source-address".into() })
}

/// Whether the acquirer numbers merchants in the Chinese way: the terminal's own number says what the registry says.
/// Another's digits mean nothing.
fn is_numbered(facts: &TerminalFacts) -> bool {
    let own = &facts.merchant;
    let agree = facts.site.region.is_none_or(|region| own.region() == Some(region))
        && facts.site.shop.mcc.is_none_or(|mcc| own.mcc() == Some(mcc));
    agree && (facts.site.region.is_some() || facts.site.shop.mcc.is_some()) && own.region().is_some()
}

/// Where the terminal stands: by the registry, or by its own merchant's number.
fn home(facts: &TerminalFacts) -> Option<Region> {
    facts.site.region.or_else(|| is_numbered(facts).then(|| facts.merchant.region()).flatten())
}

/// Where the message says that it takes place: of its merchant number (DE 42), its merchant's address (DE 43) and its
/// location (DE 59) the first that says another place than the registry does, else the first that says any.
fn region(exchange: &Exchange<'_>, request: &Request, registry: &Registry, facts: &TerminalFacts) -> Option<Region> {
    let by_number = is_numbered(facts).then(|| request.merchant.region()).flatten();
    let name = exchange.message.role(Role::MerchantName);
    let by_name = name.as_deref().and_then(|name| registry.region_named_in(&String::from_utf8_lossy(name)));
    let location = exchange.message.role(Role::Location);
    let place = location.as_deref().and_then(device_data::position);
    let by_place = place.and_then(|place| registry.region_at(place.east, place.north));
    let said = [by_number, by_name, by_place];
    let home = home(facts);
    let elsewhere = said.iter().flatten().find(|region| home.is_some_and(|home| **region != home));
    elsewhere.copied().or_else(|| said.into_iter().flatten().next())
}

/// What the message says is traded: DE 18, else its merchant number.
fn mcc(exchange: &Exchange<'_>, request: &Request, facts: &TerminalFacts) -> Option<Mcc> {
    let said = exchange.message.role(Role::MerchantType);
    let said = said.as_deref().and_then(|digits| Mcc::parse(std::str::from_utf8(digits).ok()?));
    said.or_else(|| is_numbered(facts).then(|| request.merchant.mcc()).flatten())
}

/// Whether a slip may call the terminal's merchant so: the text begins with one of its names, or is cut off within one.
/// A merchant without a name is called anything.
fn is_called(facts: &TerminalFacts, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let shop = &facts.site.shop;
    let names = [Some(&shop.name), shop.name_en.as_ref()];
    let mut names = names.into_iter().flatten().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
    let mut named = false;
    let fits = names.any(|name| {
        named = true;
        text.starts_with(&name) || (!text.is_empty() && name.starts_with(&text))
    });
    fits || !named
}

fn signs(exchange: &Exchange<'_>, request: &Request, facts: &TerminalFacts, said: &Said<'_>) -> Signs {
    let chip_card = request.track2.as_ref().and_then(|track| track.service_code());
    let capabilities = facts.site.capabilities;
    let hardware = facts.site.hardware.as_deref();
    let other_serial = |serial: &str| hardware.is_some_and(|hardware| &*hardware.serial != serial);
    let expired = hardware
        .and_then(|hardware| hardware.certified_until)
        .is_some_and(|until| facts.date(request.received) > until);
    let name = exchange.message.role(Role::MerchantName);
    let other_name = name.as_deref().is_some_and(|name| !is_called(facts, &String::from_utf8_lossy(name)));
    Signs::default()
        .with_if(chip_card.is_some_and(|code| matches!(code[0], b'2' | b'6')), Signs::CHIP_CARD)
        .with_if(capabilities.is_some_and(|able| able.has(Capabilities::CHIP)), Signs::CHIP_TERMINAL)
        .with_if(request.pin_block.is_some(), Signs::PIN)
        .with_if(capabilities.is_some_and(|able| !able.reads(request.entry_mode.method())), Signs::BEYOND_CAPABILITIES)
        .with_if(request.merchant != facts.merchant, Signs::OTHER_MERCHANT)
        .with_if(other_name, Signs::OTHER_NAME)
        .with_if(hardware.is_none(), Signs::DEVICE_UNKNOWN)
        .with_if(said.serial.is_some_and(other_serial), Signs::DEVICE_DIFFERS)
        .with_if(expired, Signs::CERTIFICATION_EXPIRED)
        .with_if(says_opened(exchange), Signs::DEVICE_OPENED)
}
