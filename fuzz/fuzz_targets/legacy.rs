#![no_main]

#[path = "../src/counting.rs"]
mod counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tidemill_fuzz::legacy::run(bytes, counting::peak);
});
