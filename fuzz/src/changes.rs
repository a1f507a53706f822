//! What a fuzzer changes in bytes that were right: single bytes, numbers that are known to hurt, parts taken out, put in
//! or said twice.

use arbitrary::Unstructured;

/// Counts and lengths at their limits, in every form that the wire has for them.
const NUMBERS: [&[u8]; 16] = [
    &[0],
    &[1],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0xff, 0xff],
    &[0xff, 0xfe],
    &[0x7f, 0xff],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xfe],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0x80, 0x80, 0x80, 0x80, 0x01],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x80, 0x00],
    &[0x81, 0x80, 0x80, 0x80, 0x70],
];

/// Up to four changes, as the input has them.
pub fn change(bytes: &mut Vec<u8>, input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    for _ in 0..input.int_in_range(0..=4)? {
        if bytes.is_empty() {
            break;
        }
        let at = input.choose_index(bytes.len())?;
        let end = (at + input.int_in_range(1..=8_usize)?).min(bytes.len());
        match input.int_in_range(0..=7)? {
            0 => bytes[at] ^= 1 << input.int_in_range(0..=7)?,
            1 => bytes[at] = input.arbitrary()?,
            2 => {
                let number = input.choose(&NUMBERS)?;
                let end = (at + number.len()).min(bytes.len());
                bytes.splice(at..end, number.iter().copied());
            }
            3 => drop(bytes.splice(at..at, input.choose(&NUMBERS)?.iter().copied())),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            6 => {
                let part: [u8; 4] = input.arbitrary()?;
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at),
        }
    }
    Ok(())
}
