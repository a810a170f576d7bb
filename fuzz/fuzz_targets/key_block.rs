#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| tollgate::fuzzing::key_block(input));
