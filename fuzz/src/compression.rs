//! Every codec against its limit. The first byte chooses the codec, the next two the limit; the rest is what is inflated,
//! and also what is compressed and must come back.

use bytes::Bytes;
use tidemill_protocol::compression::{Codec, compress, decompress};

use super::{Peak, Seed};

/// What an inflater takes for itself: tables, and the window of gzip and zstd.
pub(super) const WORKSPACE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Whether the bytes inflate.
pub fn run(bytes: &[u8], peak: Peak) -> bool {
    let Some(([codec, high, low], bytes)) = bytes.split_first_chunk::<3>() else { return false };
    let codec = Codec::ALL[usize::from(*codec) % Codec::ALL.len()];
    let bytes_max = usize::from(u16::from_be_bytes([*high, *low])) * 16;
    let bytes = Bytes::copy_from_slice(bytes);
    let mut inflated = None;
    let taken = peak(&mut || inflated = Some(decompress(codec, &bytes, bytes_max)));
    let inflated = inflated.expect("it ran");
    // A vector that grows holds what it had and twice that.
    let taken_max = WORKSPACE_BYTES_MAX + 4 * bytes.len() + 3 * bytes_max;
    assert!(taken <= taken_max, "{codec:?} held {taken} bytes for {bytes_max}");
    if let Ok(inflated) = &inflated {
        assert!(inflated.len() <= bytes_max, "{} bytes of {bytes_max}", inflated.len());
    }

    let mut compressed = Vec::new();
    compress(codec, &bytes, &mut compressed).expect("memory enough");
    let compressed = Bytes::from(compressed);
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
    for (number, codec) in (0..).zip(Codec::ALL) {
        for (name, input) in &inputs {
            let mut seed = vec![number, 0xff, 0xff];
            compress(codec, input, &mut seed).expect("memory enough");
            seeds.push((format!("{}_{name}", codec.name()), seed));
        }
    }
    seeds
}
