//! One connection to one broker: requests go out in order, answers find the request they belong to.
//!
//! [`cluster`](crate::cluster) chooses the broker and keeps the connection; the walk goes on in `pipeline`.
//!
//! - `pipeline`: machine: correlation ids, requests in flight, deadlines, bytes out and in
//! - `handshake`: machine: ApiVersions, then SASL
//! - `sasl`: machine: how a broker learns who we are
//! - `versions`: what the broker speaks, and choosing a version both sides do
//! - `transport`: how a connection is opened
//! - `tls`: how it is encrypted, and whom to trust
//! - `driver`: the task around the socket
#![expect(
    clippy::disallowed_methods,
    reason = "the front door starts the driver's task and reads the clock for deadlines"
)]

mod driver;
mod handshake;
mod pipeline;
mod sasl;
mod tls;
mod transport;
mod versions;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::{ApiKey, DecodeError, EncodeError, Request, StrBytes, header};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use self::pipeline::{Pipeline, Setup};
use self::tls::TlsClient;
pub use self::transport::{ConnectFuture, Connector, Stream, TcpConnector};
use crate::config::ClientConfig;
use crate::error::Error;
use crate::security::Security;

/// A connection that is being opened, is open, or was lost. The task behind it ends when the last handle is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
}

/// What the handles and the driver share.
#[derive(Debug)]
struct Shared {
    pipeline: Mutex<Pipeline>,
    woken: Notify,
    /// How the broker is named in errors.
    address: String,
    client_id: StrBytes,
    access: Arc<Access>,
}

/// How the connections of one cluster are opened and secured, and whether they are let in.
#[derive(Debug)]
pub(crate) struct Access {
    connector: Arc<dyn Connector>,
    security: Security,
    tls: Option<Arc<TlsClient>>,
    /// Why the last connection was refused that was.
    refused: watch::Sender<Option<Error>>,
    /// How often a listener hung up as if it were secured in another way.
    suspicious: AtomicU32,
    /// Whether a connection was ever let in. Then a broker that hangs up has other reasons.
    known: AtomicBool,
}

/// A broker that stops may hang up at any time; so often, none does.
const SUSPICIOUS_MAX: u32 = 3;

impl Access {
    /// # Errors
    /// When the options do not fit together, or files cannot be read.
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, Error> {
        let security = config.security.finish()?;
        let tls = security.tls.clone().map(TlsClient::new).transpose()?.map(Arc::new);
        if security.says_secrets_in_the_open() {
            tracing::warn!("the login can be read by everybody on the way: set security.protocol to SASL_SSL");
        }
        Ok(Self {
            connector: Arc::clone(&config.connector),
            security,
            tls,
            refused: watch::Sender::new(None),
            suspicious: AtomicU32::new(0),
            known: AtomicBool::new(false),
        })
    }

    /// Changes with every connection that is refused so that waiting cannot help.
    pub(crate) fn refusals(&self) -> watch::Receiver<Option<Error>> {
        self.refused.subscribe()
    }

    fn refused(&self, error: Error) {
        self.refused.send_replace(Some(error));
    }

    /// Whether a connection was ever let in.
    fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// A listener has hung up as if it were secured in another way; whether it is time to believe it.
    fn is_suspicious(&self) -> bool {
        self.suspicious.fetch_add(1, Ordering::Relaxed) + 1 >= SUSPICIOUS_MAX
    }

    /// A connection was let in.
    fn trusted(&self) {
        self.known.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn pipeline(&self) -> MutexGuard<'_, Pipeline> {
        self.pipeline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Begins to open a connection; requests may be made at once and wait for it.
    pub(crate) fn open(host: &str, port: u16, config: &ClientConfig, access: &Arc<Access>) -> Self {
        let setup = Setup {
            frame_bytes_max: config.frame_bytes_max,
            timeout: config.connection_setup_timeout,
            mechanism: access.security.sasl.as_ref().map(|sasl| sasl.0.name()),
            renew_at: 0.85 + 0.1 * fastrand::f64(),
        };
        let shared = Arc::new(Shared {
            pipeline: Mutex::new(Pipeline::new(setup, Instant::now())),
            woken: Notify::new(),
            address: format!("{host}:{port}"),
            client_id: StrBytes::from_string(config.client_id.clone()),
            access: Arc::clone(access),
        });
        tokio::spawn(driver::run(Arc::clone(&shared), host.to_owned(), port));
        Self { shared }
    }

    /// Whether it was lost, so that a new one has to be opened.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.pipeline().is_closed()
    }

    /// Whether requests can be made without waiting.
    pub(crate) fn is_ready(&self) -> bool {
        self.shared.pipeline().is_ready()
    }

    /// Why it was lost, if it was.
    pub(crate) fn failure(&self) -> Option<Error> {
        let failure = self.shared.pipeline().failure()?;
        Some(failure.into_error(ApiKey::API_VERSIONS, &self.shared.address))
    }

    /// Makes one request and waits for its answer, in the newest version of `versions` that the broker speaks.
    ///
    /// # Cancel safety
    /// When the future is dropped the request may have been sent; its answer is then thrown away.
    pub(crate) async fn request<R: Request>(
        &self,
        versions: VersionRange,
        timeout: Duration,
        build: impl FnOnce(i16) -> R + Send,
    ) -> Result<(i16, R::Response), Error> {
        let write = |version, correlation_id, client_id: &StrBytes| {
            header::encode_request(&build(version), version, correlation_id, Some(client_id)).map(|frame| vec![frame])
        };
        let (version, frame) = self.exchange(ApiKey(R::KEY), versions, timeout, write).await?;
        Ok((version, self.read(frame, |frame| header::decode_response::<R>(version, frame))?))
    }

    /// [`request`](Self::request) for a message that has no struct: `write` gives the slices of the request's frame, for
    /// a version, a correlation id and a client id. The answer is the response's frame, for [`read`](Self::read).
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub(crate) async fn exchange(
        &self,
        api: ApiKey,
        versions: VersionRange,
        timeout: Duration,
        write: impl FnOnce(i16, i32, &StrBytes) -> Result<Vec<Bytes>, EncodeError> + Send,
    ) -> Result<(i16, Bytes), Error> {
        self.send(api, versions, timeout, write, Pipeline::send).await
    }

    /// [`exchange`](Self::exchange) of a request that a broker does not answer: waits until all of it is written.
    ///
    /// # Cancel safety
    /// As [`request`](Self::request).
    pub(crate) async fn tell(
        &self,
        api: ApiKey,
        versions: VersionRange,
        timeout: Duration,
        write: impl FnOnce(i16, i32, &StrBytes) -> Result<Vec<Bytes>, EncodeError> + Send,
    ) -> Result<(), Error> {
        self.send(api, versions, timeout, write, Pipeline::tell).await.map(drop)
    }

    async fn send(
        &self,
        api: ApiKey,
        versions: VersionRange,
        timeout: Duration,
        write: impl FnOnce(i16, i32, &StrBytes) -> Result<Vec<Bytes>, EncodeError> + Send,
        put: fn(&mut Pipeline, Vec<Bytes>, i32, Instant, pipeline::Answered),
    ) -> Result<(i16, Bytes), Error> {
        let deadline = Instant::now() + timeout;
        let lost = |failure: pipeline::Failure| failure.into_error(api, &self.shared.address);
        self.ready(deadline).await.map_err(lost)?;
        let (version, correlation_id) = {
            let mut pipeline = self.shared.pipeline();
            let version = pipeline
                .choose_version(api, versions)
                .map_err(|reason| Error::protocol(format!("{api} to {}", self.shared.address)).with_detail(reason))?;
            (version, pipeline.next_correlation_id())
        };
        let slices = write(version, correlation_id, &self.shared.client_id)
            .map_err(|error| Error::encode(format!("{api} to {}", self.shared.address), error))?;
        let (answered, answer) = oneshot::channel();
        put(&mut self.shared.pipeline(), slices, correlation_id, deadline, answered);
        self.shared.woken.notify_one();
        match answer.await {
            Ok(frame) => Ok((version, frame.map_err(lost)?)),
            Err(_) => Err(lost(pipeline::Failure::Closed)),
        }
    }

    /// Why an open connection cannot carry a request in any of these versions, if it cannot.
    pub(crate) fn unspeakable(&self, api: ApiKey, versions: VersionRange) -> Option<String> {
        let pipeline = self.shared.pipeline();
        if pipeline.is_ready() { pipeline.choose_version(api, versions).err() } else { None }
    }

    /// The cluster's level of the feature `transaction.version`, once the connection is open.
    pub(crate) fn transaction_version(&self) -> i16 {
        self.shared.pipeline().transaction_version()
    }

    /// Reads an answer; a refusal names the broker that gave it.
    pub(crate) fn read<T>(&self, frame: Bytes, read: impl FnOnce(Bytes) -> Result<T, DecodeError>) -> Result<T, Error> {
        read(frame).map_err(|error| Error::decode(format!("the answer of {}", self.shared.address), error))
    }

    /// Waits until requests can be made.
    pub(crate) async fn opened(&self, timeout: Duration) -> Result<(), Error> {
        let outcome = self.ready(Instant::now() + timeout).await;
        outcome.map_err(|failure| failure.into_error(ApiKey::API_VERSIONS, &self.shared.address))
    }

    async fn ready(&self, deadline: Instant) -> Result<(), pipeline::Failure> {
        let waiting = self.shared.pipeline().wait_ready();
        match waiting {
            pipeline::Readiness::Ready => Ok(()),
            pipeline::Readiness::Lost(failure) => Err(failure),
            pipeline::Readiness::Wait(ready) => match tokio::time::timeout_at(deadline, ready).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(pipeline::Failure::Closed),
                Err(_) => Err(pipeline::Failure::TimedOut),
            },
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.pipeline().close(&pipeline::Failure::Closed);
        self.shared.woken.notify_one();
    }
}
