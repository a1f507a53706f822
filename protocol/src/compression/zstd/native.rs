//! zstd by its own library, in C.

use std::cell::RefCell;

use zstd::zstd_safe::{CCtx, CParameter, DCtx, ErrorCode, ResetDirective, compress_bound, get_error_name};

use super::frame::Frame;
use super::{CompressError, Output, Refusal};

thread_local! {
    /// A thread keeps its contexts, and with them the tables of the highest level it wrote at.
    static COMPRESSOR: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

pub(super) fn compress(level: i32, records: &[u8], output: &mut Vec<u8>) -> Result<(), CompressError> {
    let failed = |code: ErrorCode| CompressError::new(get_error_name(code));
    let start = output.len();
    output.resize(start.saturating_add(compress_bound(records.len())), 0);
    let room = output.get_mut(start..).unwrap_or_default();
    let written = COMPRESSOR.with_borrow_mut(|context| {
        if context.is_none() {
            *context = CCtx::try_create();
        }
        let Some(context) = context else { return Err(CompressError::new("no memory for a context")) };
        context.reset(ResetDirective::SessionAndParameters).map_err(failed)?;
        context.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        context.compress2(room, records).map_err(failed)
    })?;
    output.truncate(start.saturating_add(written));
    Ok(())
}

/// One call, straight into the output: so no window is kept beside it, however large the frame says it is.
pub(super) fn inflate(frame: &Frame<'_>, output: &mut Output) -> Result<(), Refusal> {
    let wanted = frame.content_bytes.unwrap_or(frame.content_bytes_max);
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let is_cut = wanted > output.room();
    output.fill(wanted, |_, room| {
        DECOMPRESSOR.with_borrow_mut(|context| {
            if context.is_none() {
                *context = DCtx::try_create();
            }
            let Some(context) = context else { return Err(Refusal::malformed("no memory for a context")) };
            context.decompress(room, frame.bytes).map_err(|code| match get_error_name(code) {
                "Destination buffer is too small" if is_cut => Refusal::TooLarge,
                reason => Refusal::malformed(reason),
            })
        })
    })
}
