#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hub_appliance_fuzz::manifest(input));
