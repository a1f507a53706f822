//! Each codec, through the protocol package and through its library's own front door, on batches of 16 KiB and of 1 MiB.
//!
//! The libraries write their own frames at the same level, into a vector, and read them without a limit. zstd is `ruzstd`
//! on both sides, or zstd's own library on both sides with the feature `zstd`.

use std::io::{Read, Write};

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use tidemill_protocol::compression::{Codec, compress, decompress};

const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const SIZES: [usize; 2] = [16 << 10, 1 << 20];

fn main() {
    for codec in CODECS {
        for size in SIZES {
            let (ours, theirs) =
                (tidemill_compress(codec, &records(size)).len(), library_compress(codec, &records(size)).len());
            println!("{} of {size} bytes: {ours}, by the library alone {theirs}", codec.name());
        }
    }
    divan::main();
}

/// Clicks as JSON: alike, with numbers that are not.
fn records(length: usize) -> Vec<u8> {
    let mut random: u64 = 7;
    let mut click = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (user, page) = (random >> 40 & 0xffff, random >> 20 & 0x3ff);
        format!("{{\"user_id\":{user},\"cURL\":\"https://shop.example/page/{page}\",\"session\":\"{random:016x}\"}}")
    };
    let mut records = Vec::new();
    while records.len() < length {
        records.extend(click().into_bytes());
    }
    records.truncate(length);
    records
}

fn tidemill_compress(codec: Codec, records: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    compress(codec, records, &mut output).unwrap();
    output
}

fn library_compress(codec: Codec, records: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            encoder.write_all(records).unwrap();
            encoder.finish().unwrap()
        }
        Codec::Snappy => snap::raw::Encoder::new().compress_vec(records).unwrap(),
        Codec::Lz4 => {
            let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(records).unwrap();
            encoder.finish().unwrap()
        }
        Codec::Zstd if cfg!(feature = "zstd") => zstd::bulk::compress(records, 3).unwrap(),
        Codec::Zstd => ruzstd::encoding::compress_to_vec(records, ruzstd::encoding::CompressionLevel::Fastest),
        _ => unreachable!("not measured"),
    }
}

fn library_decompress(codec: Codec, bytes: &[u8], length: usize) -> Vec<u8> {
    let mut output = Vec::new();
    match codec {
        Codec::Gzip => drop(flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut output).unwrap()),
        Codec::Snappy => output = snap::raw::Decoder::new().decompress_vec(bytes).unwrap(),
        Codec::Lz4 => drop(lz4_flex::frame::FrameDecoder::new(bytes).read_to_end(&mut output).unwrap()),
        Codec::Zstd if cfg!(feature = "zstd") => output = zstd::bulk::decompress(bytes, length).unwrap(),
        Codec::Zstd => {
            output.reserve_exact(length);
            ruzstd::decoding::FrameDecoder::new().decode_all_to_vec(bytes, &mut output).unwrap();
        }
        _ => unreachable!("not measured"),
    }
    output
}

macro_rules! measure {
    ($($module:ident: $codec:expr,)*) => {
        $(
            mod $module {
                use super::*;

                #[divan::bench(args = SIZES)]
                fn compress_library(bencher: Bencher, size: usize) {
                    let records = records(size);
                    bencher.counter(BytesCount::new(size)).bench(|| library_compress($codec, black_box(&records)));
                }

                #[divan::bench(args = SIZES)]
                fn compress_tidemill(bencher: Bencher, size: usize) {
                    let records = records(size);
                    bencher.counter(BytesCount::new(size)).bench(|| tidemill_compress($codec, black_box(&records)));
                }

                #[divan::bench(args = SIZES)]
                fn decompress_library(bencher: Bencher, size: usize) {
                    let bytes = library_compress($codec, &records(size));
                    bencher
                        .counter(BytesCount::new(size))
                        .bench(|| library_decompress($codec, black_box(&bytes), size));
                }

                #[divan::bench(args = SIZES)]
                fn decompress_tidemill(bencher: Bencher, size: usize) {
                    let bytes = Bytes::from(tidemill_compress($codec, &records(size)));
                    bencher
                        .counter(BytesCount::new(size))
                        .bench(|| decompress($codec, black_box(&bytes), 2 * size).unwrap());
                }
            }
        )*
    };
}

measure! {
    gzip: Codec::Gzip,
    snappy: Codec::Snappy,
    lz4: Codec::Lz4,
    zstd_frames: Codec::Zstd,
}
