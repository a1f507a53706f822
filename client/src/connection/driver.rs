//! The task around the socket: opens it, then moves bytes between it and the [`pipeline`](super::pipeline). Decides
//! nothing.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock")]

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::pipeline::Failure;
use super::transport::{Connector, Stream};

/// Read at least this much at a time.
const READ_BYTES: usize = 16 * 1024;

/// How many slices one write gathers.
const SLICES: usize = 64;

pub(super) async fn run(shared: Arc<Shared>, connector: Arc<dyn Connector>, host: String, port: u16) {
    let connected = tokio::select! {
        connected = connector.connect(host, port) => connected,
        () = closed(&shared) => return,
    };
    let failure = match connected {
        Ok(stream) => match move_bytes(&shared, stream).await {
            Ok(()) => return,
            Err(error) => error,
        },
        Err(error) => error,
    };
    tracing::debug!(address = shared.address, %failure, "connection lost");
    shared.pipeline().close(&Failure::Network(failure.kind(), failure.to_string()));
}

/// Waits until the pipeline is closed: by its owner, or by the time that opening may take.
async fn closed(shared: &Shared) {
    loop {
        let Some(wake_at) = shared.pipeline().poll(Instant::now()) else { return };
        tokio::select! {
            () = sleep_until(wake_at) => {}
            () = shared.woken.notified() => {}
        }
    }
}

async fn move_bytes(shared: &Shared, stream: Box<dyn Stream>) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut outgoing = VecDeque::new();
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    shared.pipeline().handle_connected();
    loop {
        let wake_at = {
            let mut pipeline = shared.pipeline();
            let wake_at = pipeline.poll(Instant::now());
            if pipeline.is_closed() {
                return Ok(());
            }
            pipeline.take_outgoing(&mut outgoing);
            buffer.reserve(pipeline.bytes_missing(&buffer).max(READ_BYTES));
            wake_at
        };
        tokio::select! {
            biased;
            written = write_some(&mut writer, &outgoing), if !outgoing.is_empty() => forget(&mut outgoing, written?),
            read = reader.read_buf(&mut buffer) => {
                if read? == 0 {
                    return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the broker closed the connection"));
                }
                shared.pipeline().handle_bytes(&mut buffer);
            }
            () = sleep_some(wake_at) => {}
            () = shared.woken.notified() => {}
        }
    }
}

/// One gathered write of what is waiting; cancelled, it has written nothing.
async fn write_some(writer: &mut (impl AsyncWriteExt + Unpin), outgoing: &VecDeque<Bytes>) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let mut used = 0;
    for (slice, bytes) in slices.iter_mut().zip(outgoing) {
        *slice = IoSlice::new(bytes);
        used += 1;
    }
    match writer.write_vectored(slices.get(..used).unwrap_or_default()).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}

/// Drops what has been written from the front.
fn forget(outgoing: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(first) = outgoing.front_mut() {
        if first.len() > written {
            first.advance(written);
            return;
        }
        written -= first.len();
        outgoing.pop_front();
    }
}

async fn sleep_some(wake_at: Option<Instant>) {
    match wake_at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
