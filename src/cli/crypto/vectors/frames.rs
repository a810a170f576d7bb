//! Frames of host commands, in both directions.

use super::case::Case;
use super::case::Held;
use super::case::Wrong;
use crate::hsm::payshield::command::AnyCommand;
use crate::hsm::payshield::counterpart::Counterpart;
use crate::hsm::payshield::frame;
use crate::hsm::payshield::frame::Deframer;
use crate::hsm::payshield::frame::Frame;
use crate::server::SystemEntropy;
use std::sync::Arc;

/// The one frame of a wire.
fn only(wire: &[u8], header: usize) -> Option<Frame> {
    let mut input = wire;
    let frame = Deframer::new(header).next(&mut input).ok()??;
    input.is_empty().then_some(frame)
}

/// The frame without its length, a character a byte.
fn text(wire: &[u8]) -> String {
    wire.iter().skip(2).copied().map(char::from).collect()
}

/// The request is read and written again, answered under the public test key, and its answer read.
pub(super) fn frame(case: &Case<'_>) -> Held {
    let (header, request) = (case.number("header_length")?, case.bytes("request_wire")?);
    if case.text("request_text")? != text(&request) {
        return Err(Wrong::Input("request_text"));
    }
    let asked = only(&request, header).ok_or(Wrong::Input("request_wire"))?;
    let (command, tail) = AnyCommand::read(&asked.body).map_err(|_| Wrong::Input("request_wire"))?;
    let again = frame::frame(&asked.header, &command.write(&tail)).map_err(|_| Wrong::Input("request_wire"))?;
    if *again != *request {
        return Err(Wrong::Differs("request_wire"));
    }
    let served = Counterpart::new(Arc::new(SystemEntropy)).serve(&asked.body).ok_or(Wrong::Differs("response_wire"))?;
    let response = frame::frame(&asked.header, &served.answer).map_err(|_| Wrong::Differs("response_wire"))?;
    case.same("response_text", &text(&response))?;
    case.same_hex("response_wire", &response)?;
    let answered = only(&response, header).ok_or(Wrong::Differs("response_wire"))?;
    command.check_answer(&answered.body).map_err(|_| Wrong::Differs("response_wire"))
}
