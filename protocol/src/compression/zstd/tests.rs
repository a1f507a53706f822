//! Both libraries on the same bytes: each reads what the other writes.

use proptest::prelude::*;

use super::super::tests::texture;
use super::*;

type Compressor = fn(i32, &[u8], &mut Vec<u8>) -> Result<(), CompressError>;
type Library = fn(&Frame<'_>, &mut Output) -> Result<(), Refusal>;
const LIBRARIES: [Library; 2] = [pure::inflate, native::inflate];

fn inflated(bytes: &[u8], library: Library, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut output = Output::new(limit);
    inflate_frames(bytes, &mut output, library).map(|()| output.into_bytes())
}

fn written(level: i32, records: &[u8]) -> [Vec<u8>; 2] {
    let compressors: [Compressor; 2] = [pure::compress, native::compress];
    compressors.map(|compress| {
        let mut frames = Vec::new();
        assert_eq!(compress(level, records, &mut frames), Ok(()));
        frames
    })
}

/// Blocks whose literals the encoder finds worth a table, and then, with the sequences, not worth writing: the next
/// block may be built on the table of one that is stored plain.
#[test]
fn a_block_after_one_that_is_stored_plain_is_read() {
    for seed in 0..40_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut noise = |count: usize, symbols: u64| -> Vec<u8> {
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % symbols) as u8
            };
            (0..count).map(|_| next()).collect()
        };
        let records = [noise(128 << 10, 250 + seed % 7), noise(128 << 10, 200 + seed % 50), noise(5000, 40)].concat();
        for library in LIBRARIES {
            assert!(inflated(&written(1, &records)[0], library, records.len()).unwrap() == records, "{seed}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn each_reads_what_the_other_writes(records in texture(), level in -5i32..=19) {
        for frames in written(level, &records) {
            for library in LIBRARIES {
                prop_assert!(inflated(&frames, library, records.len()).unwrap() == records);
            }
        }
    }
}
