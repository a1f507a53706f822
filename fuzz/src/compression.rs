//! Every codec against its limit. The first byte chooses the codec, the next two the limit; the rest is what is inflated,
//! and also what is compressed and must come back.

use bytes::Bytes;
use tidemill_protocol::compression::{Codec, compress, decompress};

use super::{Allocated, Seed};

/// All that are read and written.
const CODECS: [Codec; 3] = [Codec::None, Codec::Snappy, Codec::Lz4];

/// What an inflater takes for itself: the window and the block of an lz4 frame, of up to 4 MiB each.
const WORKSPACE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Whether the bytes inflate.
pub fn run(bytes: &[u8], allocated: Allocated) -> bool {
    let Some(([codec, high, low], bytes)) = bytes.split_first_chunk::<3>() else { return false };
    let codec = CODECS[usize::from(*codec) % CODECS.len()];
    let bytes_max = usize::from(u16::from_be_bytes([*high, *low])) * 16;
    let bytes = Bytes::copy_from_slice(bytes);
    let before = allocated();
    let inflated = decompress(codec, &bytes, bytes_max);
    let taken = allocated() - before;
    // A vector that grows by doubling has taken twice its length, counting what it gave back.
    assert!(taken <= WORKSPACE_BYTES_MAX + 4 * bytes_max, "{codec:?} took {taken} bytes for {bytes_max}");
    if let Ok(inflated) = &inflated {
        assert!(inflated.len() <= bytes_max, "{} bytes of {bytes_max}", inflated.len());
    }

    let compressed = Bytes::from(compress(codec, &bytes));
    let again = decompress(codec, &compressed, bytes.len()).expect("what was compressed inflates");
    assert_eq!(again, bytes);
    if let Some(less) = bytes.len().checked_sub(1) {
        assert!(decompress(codec, &compressed, less).is_err(), "one byte more than the limit");
    }
    inflated.is_ok()
}

/// A text and a run of zeros as each codec writes them.
pub fn seeds() -> Vec<Seed> {
    let inputs = [("empty", Vec::new()), ("text", b"user_clicks, user_clicks".to_vec()), ("zeros", vec![0; 70_000])];
    let mut seeds = Vec::new();
    for (number, codec) in (0..).zip(CODECS) {
        for (name, input) in &inputs {
            let seed = [&[number, 0xff, 0xff][..], &compress(codec, input)].concat();
            seeds.push((format!("{}_{name}", codec.name()), seed));
        }
    }
    seeds
}
