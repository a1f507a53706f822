//! How a connection is opened: the only place that dials.
//!
//! [`driver`](super::driver) calls it and then moves bytes.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

/// A connection's two directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What [`Connector::connect`] gives.
pub type ConnectFuture = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Opens connections to brokers: over TCP, or inside the process for tests.
pub trait Connector: fmt::Debug + Send + Sync {
    /// Opens a connection to the broker at this address, which was configured or is what a broker says of itself or of
    /// another.
    ///
    /// # Errors
    /// Whatever keeps it from being opened; it is tried again later, as `reconnect.backoff.ms` says.
    ///
    /// # Cancel safety
    /// The future is dropped after `socket.connection.setup.timeout.ms`, and when the client ends: it must leave nothing
    /// behind.
    fn connect(&self, host: String, port: u16) -> ConnectFuture;
}

/// Opens TCP connections, trying each address that a host name has.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TcpConnector;

impl Connector for TcpConnector {
    fn connect(&self, host: String, port: u16) -> ConnectFuture {
        Box::pin(async move {
            let unknown = |reason: String| {
                let told = format!(
                    "the host name '{host}' is not known here ({reason}): it comes from bootstrap.servers or from a \
                     broker's advertised.listeners"
                );
                io::Error::new(io::ErrorKind::NotFound, told)
            };
            let found = lookup_host((host.as_str(), port)).await.map_err(|error| unknown(error.to_string()))?;
            let addresses: Vec<SocketAddr> = found.collect();
            if addresses.is_empty() {
                return Err(unknown("it has no address".to_owned()));
            }
            let stream = TcpStream::connect(&*addresses).await?;
            // Requests are whole frames: there is nothing to wait for.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}
