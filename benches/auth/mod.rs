//! The message that the codec's benches measure with.

/// The authorization request that everything is measured with: 20 elements, 120 bytes of chip data.
pub(crate) const AUTH: &[(u8, &[u8])] = &[
    (2, b"4111111111111111"),
    (3, b"000000"),
    (4, b"000000012345"),
    (7, b"1121101500"),
    (11, b"000042"),
    (12, b"101500"),
    (13, b"1121"),
    (14, b"3012"),
    (18, b"5411"),
    (22, b"051"),
    (25, b"00"),
    (32, b"12345678"),
    (35, b"4111111111111111=30121010000000000000"),
    (37, b"632510000042"),
    (41, b"10000001"),
    (42, b"898110054110001"),
    (43, b"Corner shop            Springfield    US"),
    (49, b"156"),
    (52, &[0xF2, 0xE2, 0x5C, 0xC6, 0x62, 0x83, 0x7D, 0x8A]),
    (55, &CHIP),
];

/// 120 bytes of BER-TLV.
const CHIP: [u8; 120] = chip();

const fn chip() -> [u8; 120] {
    let head =
        *b"\x9F\x26\x08\xF1\x89\x9C\xEA\xBC\x7B\xFF\x1B\x9F\x27\x01\x80\x9F\x10\x13\x07\x00\x01\x03\xA0\xA0\x12\x01";
    let mut chip = [0x5A; 120];
    let mut at = 0;
    while at < head.len() {
        chip[at] = head[at];
        at += 1;
    }
    chip
}
