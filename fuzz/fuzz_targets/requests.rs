#![no_main]

#[path = "../src/counting.rs"]
mod counting;
#[path = "../src/requests/mod.rs"]
mod requests;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let taken = counting::peak(&mut || {
        if let Err(broken) = requests::run(bytes, None) {
            panic!("{broken}");
        }
    });
    // A fixed part, in which a topic finds room with as many partitions as one request may name, and a multiple of what came.
    let allowed = 64 * 1024 * 1024 + 4096 * bytes.len();
    assert!(taken <= allowed, "{taken} bytes are held, {allowed} are allowed");
});
